/**
 * How the positives of an anchor are joined:
 * - `"out"`: the mean of their `-log q` (Khosla et al. 2020, eq. 2, `L_out`);
 * - `"in"`: minus the logarithm of their mean `q` (Khosla et al. 2020, eq. 3, `L_in`);
 * - `"mil-nce"`: minus the logarithm of their summed `q` (Miech et al. 2020, eq. 1; with labels the soft nearest
 *   neighbour loss of Frosst et al. 2019): one near positive is enough.
 *
 * All are equal for one positive; `"in"` and `"mil-nce"` differ by a constant.
 */
export type Formulation = "out" | "in" | "mil-nce";
