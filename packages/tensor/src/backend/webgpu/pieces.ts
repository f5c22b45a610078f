import type { LinearLaunch } from "./launch.js";

/** The part of a buffer that one binding shows. */
export interface Range {
  offset: number;
  size?: number;
}

/** Of a vector of four float32 or int32; of four float16 it is half as many. */
const vectorBytes = 16;

/** Offsets of bindings must be multiples of 256 on every device, and so must half of one. */
const alignment = 512;

/**
 * A launch whose bindings of vectors are touched at `index` alone, as launches that bind at most `maxBytes` of each; the
 * ranges are in the order of inputs, then outputs.
 */
export function piecesOf(
  launch: LinearLaunch,
  maxBytes: number,
): { launch: LinearLaunch; ranges: Range[] }[] {
  const step = (Math.floor(maxBytes / alignment) * alignment) / vectorBytes;
  return Array.from({ length: Math.ceil(launch.count / step) }, (_, i) => {
    const first = i * step;
    const count = Math.min(step, launch.count - first);
    const ranges = [...launch.inputs, ...launch.outputs].map(({ type, half }) => {
      const bytes = half ? vectorBytes / 2 : vectorBytes;
      return type?.startsWith("vec4<") ? { offset: first * bytes, size: count * bytes } : { offset: 0 };
    });
    return { launch: { ...launch, count }, ranges };
  });
}
