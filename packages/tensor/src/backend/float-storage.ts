/** How the backend keeps a float32 tensor's values in memory: as they are, or each rounded to a float16 of half the size. */
export type FloatStorage = "float32" | "float16";
