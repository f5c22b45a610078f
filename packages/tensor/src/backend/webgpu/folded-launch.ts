import { type GridLaunch, u32 } from "./launch.js";

/**
 * A launch of the same workgroups that has no more of them along an axis than the device takes: it counts them through along two axes,
 * and the kernel finds its place in the grid from that count.
 *
 * @throws RangeError if the workgroups do not fit along two axes either
 */
export function foldWorkgroups(launch: GridLaunch, maxWorkgroups: number): GridLaunch {
  const [x, y, z] = launch.workgroups;
  if (Math.max(x, y, z) <= maxWorkgroups) return launch;
  const count = x * y * z;
  const down = Math.ceil(count / maxWorkgroups);
  if (down > maxWorkgroups) {
    throw new RangeError(`it needs ${count} workgroups; the device takes at most ${maxWorkgroups ** 2}`);
  }
  return {
    ...launch,
    key: `${launch.key}/folded`,
    workgroups: [Math.ceil(count / down), down, 1],
    uniforms: [...(launch.uniforms ?? []), u32("gridX", x), u32("gridY", y), u32("gridCount", count)],
    body: () => `let place = group.x + group.y * groups.x;
  if (place >= u.gridCount) { return; }
  {
  let group = vec3<u32>(place % u.gridX, place / u.gridX % u.gridY, place / (u.gridX * u.gridY));
  let groups = vec3<u32>(u.gridX, u.gridY, u.gridCount / (u.gridX * u.gridY));
  ${launch.body()}
  }`,
  };
}
