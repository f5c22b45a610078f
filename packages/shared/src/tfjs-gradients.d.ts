import type { GradConfig } from "@tensorflow/tfjs-core";

/** tfjs-core's own gradients, bundled from its package at build time. */
export declare const gradientConfigs: GradConfig[];
