import { checkFloat } from "../shared/check-float.js";
import { checkNumber } from "../shared/check-options.js";

/**
 * Wilson's score interval of a share (Wilson 1927).
 *
 * @param share in [0, 1]. @param n trials, at least 1
 * @param z standard deviations, above 0; default 1.959964, for 95 %
 */
export function wilsonInterval(share: number, n: number, z = 1.959964): [number, number] {
  checkNumber("wilsonInterval: share", share, { min: 0, max: 1 });
  checkNumber("wilsonInterval: n", n, { min: 1, integer: true });
  checkFloat("wilsonInterval: z", z, { above: 0 });
  const center = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return [Math.max(0, center - half), Math.min(1, center + half)];
}
