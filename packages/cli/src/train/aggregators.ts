import {
  type Aggregator,
  cagrad,
  gradVac,
  imtlG,
  mgda,
  nashMTL,
  pcgrad,
  upgrad,
} from "@dcr-js/gradient-conflict";
import type { RunConfig } from "../config/run-config.js";

/** The aggregator of a name; undefined for the plain sum, which needs no gradients apart. */
export function createAggregator(name: RunConfig["aggregator"], seed: number): Aggregator | undefined {
  switch (name) {
    case "sum":
      return undefined;
    case "pcgrad":
      return pcgrad({ seed });
    case "cagrad":
      return cagrad();
    case "mgda":
      return mgda();
    case "grad-vac":
      return gradVac({ seed });
    case "imtl-g":
      return imtlG();
    case "nash-mtl":
      return nashMTL();
    case "upgrad":
      return upgrad();
  }
}
