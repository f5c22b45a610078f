import "./shared/register-gradients.js";

export {
  type Aggregator,
  type AggregatorContext,
  aggregateGradients,
  combineGradients,
  type Weighting,
} from "./aggregators/aggregator.js";
export { type AlignedMTLOptions, alignedMTL } from "./aggregators/aligned-mtl.js";
export { type CAGradOptions, cagrad } from "./aggregators/cagrad.js";
export { type ConFIGOptions, conFIG } from "./aggregators/con-fig.js";
export { dualProj } from "./aggregators/dual-proj.js";
export { dwa } from "./aggregators/dwa.js";
export type { ElementwiseAggregator, ElementwiseContext } from "./aggregators/elementwise.js";
export { ExcessMTL, type ExcessMTLOptions } from "./aggregators/excess-mtl.js";
export { fairGrad } from "./aggregators/fair-grad.js";
export { type FAMOOptions, famo } from "./aggregators/famo.js";
export { gradDrop } from "./aggregators/grad-drop.js";
export { type GradNormOptions, gradNorm } from "./aggregators/grad-norm.js";
export { type GradVacOptions, gradVac } from "./aggregators/grad-vac.js";
export { imtlG } from "./aggregators/imtl-g.js";
export { imtlL } from "./aggregators/imtl-l.js";
export { type KrumOptions, krum } from "./aggregators/krum.js";
export { mgda } from "./aggregators/mgda.js";
export { type NashMTLOptions, nashMTL } from "./aggregators/nash-mtl.js";
export { pcgrad } from "./aggregators/pcgrad.js";
export { randomWeighting } from "./aggregators/random-weighting.js";
export { type SDMGradOptions, sdmGrad } from "./aggregators/sdm-grad.js";
export type { OrderOptions } from "./aggregators/shuffled.js";
export { type STCHOptions, stch } from "./aggregators/stch.js";
export { trimmedMean } from "./aggregators/trimmed-mean.js";
export { uncertaintyWeighting } from "./aggregators/uncertainty-weighting.js";
export { type UPGradOptions, upgrad } from "./aggregators/upgrad.js";
export { weightedSum } from "./aggregators/weighted-sum.js";
export * from "./diagnostics.js";
export {
  type BackwardOptions,
  type BackwardResult,
  backward,
  type Losses,
  type StepAggregator,
  type StepMeasures,
} from "./step/backward.js";
export type { Features } from "./step/features.js";
export { minimize, type StepOptimizer } from "./step/minimize.js";
