import type { LinearLaunch } from "./launch.js";

/** The part of a buffer that one binding shows. */
export interface Range {
  offset: number;
  size?: number;
}

/** Bytes of four float32 or int32 elements; four float16 take half. */
const vectorBytes = 16;

/** Every device takes offsets of bindings that are multiples of 256 bytes; half of this is one. */
const alignment = 512;

/**
 * Cuts a launch that uses its bindings of vectors at `index` only into launches that bind at most `maxBytes` of each. Ranges are in
 * the order of inputs, then outputs.
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
