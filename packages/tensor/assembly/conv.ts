import { block, KC, LONG, MC } from "./gemm";

/**
 * Both gradients of a convolution as matrix products whose left operand is gathered while it is packed (implicit
 * im2col): no patch matrix is ever stored. Images are NHWC, filters HWIO.
 */

/** Copies `count` floats to every fourth place; zeros where `from` is 0. */
// @ts-expect-error: decorator
@inline
function scatter4(from: usize, count: i32, to: usize): void {
  if (from == 0) for (let i = 0; i < count; i++) store<f32>(to + ((<usize>i) << 4), 0);
  else for (let i = 0; i < count; i++) store<f32>(to + ((<usize>i) << 4), load<f32>(from + ((<usize>i) << 2)));
}

/**
 * dx = the gradient at the input: rows are input pixels, depth runs over (tap, output channel). Computes those pixels of
 * the batch that lie in [first, end).
 * `scratch` needs 128 + 4 * (taps * cout * roundUp8(cin) + MC * taps * cout) bytes.
 */
export function convInputGradient(
  height: i32, width: i32, cin: i32,
  outHeight: i32, outWidth: i32, cout: i32,
  kernelHeight: i32, kernelWidth: i32, strideY: i32, strideX: i32, top: i32, left: i32,
  first: i32, end: i32, dy: usize, filter: usize, dx: usize, scratch: usize,
): void {
  const depth = kernelHeight * kernelWidth * cout;
  const columns = (cin + 7) & ~7;
  const packedB = scratch + 128;
  const packedA = packedB + <usize>4 * <usize>(depth * columns);
  let to = packedB;
  for (let j = 0; j < cin; j += 8) {
    for (let tap = 0; tap < kernelHeight * kernelWidth; tap++) {
      for (let o = 0; o < cout; o++) {
        for (let c = j; c < j + 8; c++) {
          store<f32>(to, c < cin ? load<f32>(filter + <usize>4 * <usize>((tap * cin + c) * cout + o)) : 0);
          to += 4;
        }
      }
    }
  }
  for (let i = first; i < end; i += MC) {
    const rows = min(MC, end - i);
    for (let row = 0; row < ((rows + 3) & ~3); row++) {
      const pixel = i + row;
      const n = pixel / (height * width);
      const y = (pixel / width) % height;
      const x = pixel % width;
      let at = packedA + <usize>16 * <usize>((row >> 2) * depth) + <usize>4 * <usize>(row & 3);
      for (let ky = 0; ky < kernelHeight; ky++) {
        const sy = y + top - ky;
        const oy = sy / strideY;
        const inside = row < rows && sy >= 0 && oy * strideY == sy && oy < outHeight;
        for (let kx = 0; kx < kernelWidth; kx++) {
          const sx = x + left - kx;
          const ox = sx / strideX;
          const hit = inside && sx >= 0 && ox * strideX == sx && ox < outWidth;
          scatter4(hit ? dy + <usize>4 * <usize>(((n * outHeight + oy) * outWidth + ox) * cout) : 0, cout, at);
          at += <usize>16 * <usize>cout;
        }
      }
    }
    block(rows, cin, depth, packedA, packedB, dx + <usize>4 * <usize>(i * cin), <usize>cin << 2, 1, false, scratch);
  }
}

/**
 * dw = the gradient at the filter: for each tap an [cin, cout] product over the output pixels of the batch that lie in
 * [first, end). Sums over a few blocks of pixels are added to dw, which must hold zeros, so that errors do not grow with their number.
 * `scratch` needs 128 + 4 * KC * (roundUp8(cout) + roundUp4(cin)) + 4 * taps * cin * cout bytes.
 */
export function convFilterGradient(
  height: i32, width: i32, cin: i32,
  outHeight: i32, outWidth: i32, cout: i32,
  kernelHeight: i32, kernelWidth: i32, strideY: i32, strideX: i32, top: i32, left: i32,
  first: i32, end: i32, x: usize, dy: usize, dw: usize, scratch: usize,
): void {
  const columns = (cout + 7) & ~7;
  const packedB = scratch + 128;
  const packedA = packedB + <usize>4 * <usize>(KC * columns);
  const part = packedA + <usize>4 * <usize>(KC * ((cin + 3) & ~3));
  const length = <usize>4 * <usize>(kernelHeight * kernelWidth * cin * cout);
  for (let p = first; p < end; p += KC) {
    const depth = min(KC, end - p);
    const fresh = (p - first) % LONG == 0;
    let to = packedB;
    for (let j = 0; j < cout; j += 8) {
      for (let q = 0; q < depth; q++) {
        const from = dy + <usize>4 * <usize>((p + q) * cout + j);
        if (j + 8 <= cout) {
          v128.store(to, v128.load(from));
          v128.store(to, v128.load(from, 16), 16);
        } else {
          for (let c: usize = 0; c < 8; c++) {
            store<f32>(to + (c << 2), j + <i32>c < cout ? load<f32>(from + (c << 2)) : 0);
          }
        }
        to += 32;
      }
    }
    for (let tap = 0; tap < kernelHeight * kernelWidth; tap++) {
      const ky = tap / kernelWidth - top;
      const kx = (tap % kernelWidth) - left;
      for (let q = 0; q < depth; q++) {
        const pixel = p + q;
        const n = pixel / (outHeight * outWidth);
        const sy = ((pixel / outWidth) % outHeight) * strideY + ky;
        const sx = (pixel % outWidth) * strideX + kx;
        const hit = sy >= 0 && sy < height && sx >= 0 && sx < width;
        const from = x + <usize>4 * <usize>(((n * height + sy) * width + sx) * cin);
        let at = packedA + <usize>16 * <usize>q;
        for (let c = 0; c < cin; c += 4) {
          if (!hit) v128.store(at, f32x4.splat(0));
          else if (c + 4 <= cin) v128.store(at, v128.load(from + <usize>4 * <usize>c));
          else {
            for (let r = c; r < c + 4; r++) {
              store<f32>(at + <usize>4 * <usize>(r - c), r < cin ? load<f32>(from + <usize>4 * <usize>r) : 0);
            }
          }
          at += <usize>16 * <usize>depth;
        }
      }
      block(cin, cout, depth, packedA, packedB, part + <usize>4 * <usize>(tap * cin * cout), <usize>cout << 2, 1, !fresh, scratch);
    }
    if ((p - first) % LONG != LONG - KC && p + KC < end) continue;
    for (let i: usize = 0; i < length; i += 4) store<f32>(dw + i, load<f32>(dw + i) + load<f32>(part + i));
  }
}
