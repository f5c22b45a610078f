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
  // Rounding would leave an upper end below 1 for a share of 1.
  return [lowerEnd(share, n, z), 1 - lowerEnd(1 - share, n, z)];
}

function lowerEnd(share: number, n: number, z: number): number {
  const center = share + z ** 2 / (2 * n);
  const half = z * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return share === 0 ? 0 : Math.max(0, center - half) / (1 + z ** 2 / n);
}
