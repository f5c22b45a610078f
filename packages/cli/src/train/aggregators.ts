import {
  type Aggregator,
  alignedMTL,
  cagrad,
  conFIG,
  dualProj,
  dwa,
  fairGrad,
  famo,
  gradNorm,
  gradVac,
  imtlG,
  imtlL,
  mgda,
  nashMTL,
  pcgrad,
  randomWeighting,
  sdmGrad,
  stch,
  uncertaintyWeighting,
  upgrad,
} from "@dcr-js/gradient-conflict";
import type { RunConfig } from "../config/run-config.js";

const aggregators: Record<Exclude<RunConfig["aggregator"], "sum">, (seed: number) => Aggregator> = {
  "random-weighting": (seed) => randomWeighting({ seed }),
  "uncertainty-weighting": () => uncertaintyWeighting(),
  dwa: () => dwa(),
  "grad-norm": () => gradNorm(),
  "imtl-l": () => imtlL(),
  famo: () => famo(),
  stch: () => stch(),
  pcgrad: (seed) => pcgrad({ seed }),
  "grad-vac": (seed) => gradVac({ seed }),
  cagrad: () => cagrad(),
  mgda: () => mgda(),
  "imtl-g": () => imtlG(),
  "nash-mtl": () => nashMTL(),
  upgrad: () => upgrad(),
  "dual-proj": () => dualProj(),
  "aligned-mtl": () => alignedMTL(),
  "con-fig": () => conFIG(),
  "fair-grad": () => fairGrad(),
  "sdm-grad": () => sdmGrad(),
};

/** The aggregator of a name; undefined for the plain sum, which needs no gradients apart. */
export function createAggregator(name: RunConfig["aggregator"], seed: number): Aggregator | undefined {
  return name === "sum" ? undefined : aggregators[name](seed);
}
