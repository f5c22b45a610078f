import { getGradient, registerGradient } from "@tensorflow/tfjs-core";
import { gradientConfigs } from "./tfjs-gradients.js";

// The registry is one object in the process, whichever copy of tfjs-core asks, so what a bundler's ESM copy has
// already registered is left alone.
for (const config of gradientConfigs) {
  if (!getGradient(config.kernelName)) registerGradient(config);
}
