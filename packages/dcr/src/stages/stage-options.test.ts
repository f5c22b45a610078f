import { initialize, singleProcess } from "@dcr-js/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { setting } from "../../test/setting.js";
import { recObjective } from "../objectives/rec.js";
import { checkStageOptions } from "./stage-options.js";

beforeAll(() => initialize({ device: "cpu" }));

describe("checkStageOptions", () => {
  it("fills in the documented defaults, also for options that are undefined", () => {
    const { options, dispose } = setting();
    const { chunk, warmupSteps, ...bare } = options;
    const defaults = {
      warmupSteps: 10,
      weightDecay: 0.01,
      maxGradNorm: 1,
      accumulation: 1,
      conflict: false,
      target: "scheduler",
      timestepRange: [0, 1000],
      localTokens: 0,
      chunk: 16,
      encoderMicroBatch: 8,
      gradientCheckpointing: false,
      communicator: singleProcess,
    };
    const objective = recObjective();
    expect(checkStageOptions("test", { ...bare, objective })).toEqual({ ...bare, objective, ...defaults });
    const absent = Object.fromEntries(Object.keys(defaults).map((name) => [name, undefined]));
    expect(checkStageOptions("test", { ...bare, objective, ...absent })).toEqual({
      ...bare,
      objective,
      ...defaults,
    });
    dispose();
  });

  it("refuses local tokens where the denoiser takes one vector alone", () => {
    const { options, dispose } = setting();
    const { denoiser } = options;
    const alone = { ...denoiser, capabilities: { ...denoiser.capabilities, tokenConditions: false } };
    const given = { ...options, denoiser: alone, objective: recObjective() };
    expect(() => checkStageOptions("test", { ...given, localTokens: 0.25 })).toThrow(
      "test: localTokens must be 0 for this denoiser, whose capabilities.tokenConditions is false, got 0.25",
    );
    expect(() => checkStageOptions("test", given)).not.toThrow();
    dispose();
  });
});
