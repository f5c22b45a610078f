/** Pillow's interpolation filters, by its names. */
export const resamples = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] as const;
export type Resample = (typeof resamples)[number];

/** A filter's weight at a distance from the centre, and the distance beyond which it is 0. */
export interface FilterKernel {
  support: number;
  weight(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** The kernels of Pillow's src/libImaging/Resample.c; "nearest" has none, it takes one pixel. */
export const filterKernels: Record<Exclude<Resample, "nearest">, FilterKernel> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => {
      const t = Math.abs(x);
      if (t === 0) return 1;
      if (t >= 1) return 0;
      // Pillow has these two in float32.
      return sinc(t) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(t * Math.PI));
    },
  },
  // Keys' cubic convolution with a = -0.5, as Pillow has it; torch without antialias has -0.75.
  bicubic: {
    support: 2,
    weight: (x) => {
      const a = -0.5;
      const t = Math.abs(x);
      if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
      if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
      return 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};
