import { checkFloat } from "../shared/check-float.js";
import { checkNumber } from "../shared/check-options.js";

/**
 * Wilson's score interval of a share (Wilson 1927).
 *
 * @param share in [0, 1]. @param n trials, at least 1
 * @param z standard deviations, above 0; default 1.959963984540054, for 95 %
 */
export function wilsonInterval(share: number, n: number, z = 1.959963984540054): [number, number] {
  checkNumber("wilsonInterval: share", share, { min: 0, max: 1 });
  checkNumber("wilsonInterval: n", n, { min: 1, integer: true });
  checkFloat("wilsonInterval: z", z, { above: 0 });
  const center = share + z ** 2 / (2 * n);
  const half = z * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  const [low, high] = [center - half, center + half].map((end) => end / (1 + z ** 2 / n));
  // Rounding would leave an end within a share of 0 or 1.
  return [share === 0 ? 0 : low, share === 1 ? 1 : high];
}
