import { supCon } from "@dcr-js/contrastive";
import { initialize } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  changed,
  enhance,
  flat,
  gradientMoments,
  parametersOf,
  readState,
  setting,
  take,
} from "../../test/setting.js";
import { featureObjective } from "../objectives/feature-objective.js";
import { jointObjective } from "../objectives/naive.js";
import type { Objective } from "../objectives/objective.js";
import { objectives } from "../objectives/objectives.js";
import { reconstructionLoss } from "../objectives/reconstruction-loss.js";
import { createEndToEndStage, createEnhancementStage, type EnhancementOptions } from "./enhancement-stage.js";
import type { StepRecord } from "./stage.js";

beforeAll(() => initialize({ device: "wasm" }));

const losses = {
  rec: ["rec"],
  con: ["con"],
  naive: ["con", "rec"],
  dcr: ["dcrAugmented", "dcrTarget"],
};

describe("createEnhancementStage", () => {
  it.each(
    (Object.keys(losses) as (keyof typeof losses)[]).flatMap((name) => [
      [name, true] as const,
      [name, false] as const,
    ]),
  )("trains only the adapters with %s (conflict: %s), and leaks nothing", async (name, conflict) => {
    await expectNoLeaks(() =>
      enhance(objectives[name](), { conflict }, async (stage, { encoder, projector, unet, lora }) => {
        const modules = [encoder, projector, unet];
        const before = modules.map(parametersOf);
        const trained = new Set(lora.parameters());
        const expected = Array.from(encoder.namedParameters())
          .filter(([, parameter]) => trained.has(parameter))
          .map(([path]) => path);
        const alive = tf.memory().numTensors;
        const records = await take(stage, 2);
        expect(tf.memory().numTensors).toBe(alive);
        const [ofEncoder, ...ofOthers] = modules.map((m, i) => changed(before[i], parametersOf(m)));
        expect(ofOthers).toEqual([[], []]);
        // A moves once B has left zero, so both have after two steps.
        expect(ofEncoder.toSorted()).toEqual(expected.toSorted());
        for (const [step, record] of records.entries()) {
          expect(record.step).toBe(step);
          expect(Object.keys(record.losses)).toEqual(losses[name]);
          expect(record.gradNorm).toBeGreaterThan(0);
          expect(record.conflict?.pairs.length).toBe(conflict && losses[name].length > 1 ? 1 : undefined);
          const share = name === "dcr" ? 0.5 : 1;
          const sum = Object.values(record.losses).reduce((total, loss) => total + share * loss, 0);
          expectClose([record.loss], [sum], { relative: 1e-6 });
        }
      }),
    );
  });

  it.each(["naive", "dcr"] as const)(
    "takes the same step with one backward pass for %s as with one for each loss",
    async (name) => {
      const run = (conflict: boolean) =>
        enhance(objectives[name](), { conflict }, async (stage) => ({
          record: await stage.step(),
          moments: flat(gradientMoments(stage.state())),
        }));
      const [together, apart] = [await run(false), await run(true)];
      expectCloseNorm(together.moments, apart.moments, { relative: 1e-5 });
      expect(together.record.losses).toEqual(apart.record.losses);
      expect(together.record.metrics).toEqual(apart.record.metrics);
    },
  );

  it("gives the same numbers to the last digit for the same seed, and others for another", async () => {
    const run = (change: Partial<EnhancementOptions> = {}) =>
      enhance(objectives.dcr(), change, async (stage) => ({
        records: await take(stage, 3),
        state: readState(stage.state()),
      }));
    const first = await run();
    expect(await run()).toEqual(first);
    expect((await run({ seed: 3 })).records[0].loss).not.toBe(first.records[0].loss);
  });

  it("sums the losses of naive to the gradient of the joint loss", async () => {
    const joint: Objective = {
      name: "joint",
      usesAugmented: true,
      usesPredictions: true,
      terms: ({ features, augmented, predictor }) => {
        const own = Int32Array.of(0, 1, 2);
        const { value, grads } = tf.valueAndGrads((z: tf.Tensor, a: tf.Tensor, h: tf.Tensor) => {
          const contrast = supCon(tf.concat([z, a]) as tf.Tensor2D, [...own, ...own], { temperature: 0.1 });
          const reconstruction = reconstructionLoss(predictor!.predict(own, h), predictor!.target);
          return tf.add(tf.mul(contrast, 0.25), tf.mul(reconstruction, 3)) as tf.Scalar;
        })([features, augmented!, predictor!.conditions]);
        const [dz, da, dh] = grads as tf.Tensor2D[];
        return [
          {
            name: "joint",
            weight: 1,
            value: value as tf.Scalar,
            features: dz,
            augmented: da,
            conditions: dh,
          },
        ];
      },
    };
    const run = (objective: Objective, conflict: boolean) =>
      enhance(objective, { maxGradNorm: 1e9, conflict }, async (stage) => {
        const { loss, gradNorm } = await stage.step();
        return { loss, gradNorm, moments: gradientMoments(stage.state()) };
      });
    const together = await run(joint, false);
    for (const conflict of [true, false]) {
      const apart = await run(jointObjective({ lambdaCon: 0.25, lambdaRec: 3 }), conflict);
      expectClose([apart.loss, apart.gradNorm], [together.loss, together.gradNorm], { relative: 1e-5 });
      expectCloseNorm(flat(apart.moments), flat(together.moments), { relative: 1e-5 });
    }
  });

  it("averages the batches of a step", async () => {
    // At a learning rate of 0 two steps see what one step of two batches sees; g = 10 m after AdamW's first step.
    const still = { learningRate: 0, maxGradNorm: 1e9, conflict: true };
    const apart = await enhance(objectives.naive(), still, async (stage) => {
      const first = await stage.step();
      const m1 = gradientMoments(stage.state());
      const second = await stage.step();
      return { losses: [first.losses, second.losses], m1, m2: gradientMoments(stage.state()) };
    });
    const together = await enhance(objectives.naive(), { ...still, accumulation: 2 }, async (stage) => ({
      record: await stage.step(),
      m: gradientMoments(stage.state()),
    }));
    for (const name of ["con", "rec"]) {
      const mean = (apart.losses[0][name] + apart.losses[1][name]) / 2;
      expectClose([together.record.losses[name]], [mean], { relative: 1e-6 });
    }
    const expected = flat(apart.m1).map((m1, i) => (m1 + (flat(apart.m2)[i] - 0.9 * m1)) / 2);
    expectCloseNorm(flat(together.m), expected, { relative: 1e-5 });
  });

  it("clips the gradient to the norm it is given, 1 by default", async () => {
    const clipped = (change: Partial<EnhancementOptions>) =>
      enhance(objectives.rec(), change, async (stage) => {
        const { gradNorm } = await stage.step();
        return [gradNorm, Math.hypot(...flat(gradientMoments(stage.state())).map((m) => 10 * m))];
      });
    const [norm, small] = await clipped({ maxGradNorm: 1e-3 });
    expect(norm).toBeGreaterThan(1e-3);
    expectClose([small], [1e-3], { relative: 1e-2 });
    const [same, kept] = await clipped({});
    expectClose([kept], [Math.min(1, same)], { relative: 1e-4 });
  });

  it("drops inputs in training, whatever mode an evaluation left the encoder in", async () => {
    const run = (evaluate: boolean, dropout = 0.1) =>
      enhance(objectives.con(), { dropout }, async (stage, { encoder }) => {
        const records: StepRecord[] = [];
        for (let step = 0; step < 3; step++) {
          records.push(await stage.step());
          if (evaluate) encoder.train(false);
        }
        return records;
      });
    const dropped = await run(true);
    expect(dropped).toEqual(await run(false));
    // LoRA starts with B at zero: dropout shows from the second step on.
    expect(dropped[2].loss).not.toBe((await run(true, 0))[2].loss);
  });

  it("trains a part of the encoder that is not a LoRA", async () => {
    const { options, dispose } = setting();
    const { encoder } = options;
    const chosen = encoder.visual_projection.parameters();
    const before = parametersOf(encoder);
    encoder.requiresGrad(false);
    const stage = createEnhancementStage({
      ...options,
      objective: objectives.dcr(),
      adapters: { parameters: () => chosen },
    });
    await stage.step();
    expect(changed(before, parametersOf(encoder))).toEqual(["visual_projection.weight"]);
    stage.dispose();
    dispose();
  });

  it("takes a loss that uses the images' features only", async () => {
    const shrink = featureObjective("shrink", (z) => tf.mean(tf.square(z)), { usesAugmented: false });
    await expectNoLeaks(() =>
      enhance(shrink, { warmupSteps: 1 }, async (stage) => {
        const records = await take(stage, 6);
        expect(records[5].loss).toBeLessThan(records[0].loss);
      }),
    );
  });

  it.each([true, false])(
    "throws on a loss that is not a number, by its name, before it changes anything (conflict: %s)",
    async (conflict) => {
      const broken = featureObjective("broken", (z) => tf.mul(tf.sum(z), Number.NaN));
      await expectNoLeaks(() =>
        enhance(broken, { conflict }, async (stage, { encoder }) => {
          const before = parametersOf(encoder);
          await expect(stage.step()).rejects.toThrow("step 0 was not taken: loss broken is NaN");
          expect(changed(before, parametersOf(encoder))).toEqual([]);
        }),
      );
    },
  );
});

describe("what others' options say", () => {
  it.each([
    ["createEnhancementStage", createEnhancementStage],
    ["createEndToEndStage", createEndToEndStage],
  ])("is refused by %s, by its name", async (name, create) => {
    const wrong: [object, string][] = [
      [{ chunk: -1 }, `${name}: chunk must be an integer`],
      [{ adapters: 3 }, `${name}: adapters must be a LoRA or { parameters() }, got 3`],
      [{ adapters: undefined }, `${name}: adapters must be a LoRA or { parameters() }, got undefined`],
      [{ adapters: { parameters: () => [] } }, `${name}: adapters have no parameters to train`],
    ];
    for (const [change, message] of wrong)
      await expect(enhance(objectives.con(), change, async () => {}, create)).rejects.toThrow(message);
  });
});

describe("local tokens", () => {
  it("leave the gradient of a loss on the features as it is", async () => {
    const run = (localTokens: number) =>
      enhance(objectives.con(), { localTokens, dropout: 0, maxGradNorm: 1e9 }, async (stage) => ({
        record: await stage.step(),
        moments: flat(gradientMoments(stage.state())),
      }));
    const none = await run(0);
    expect(none.moments.some((moment) => moment !== 0)).toBe(true);
    for (const share of [0.5, 1]) {
      const some = await run(share);
      expectClose([some.record.loss], [none.record.loss], { relative: 1e-6 });
      expectCloseNorm(some.moments, none.moments, { relative: 1e-5 });
    }
  });
});

describe("a stage's gradient", () => {
  // By losses of steps that start a little before and behind, along the gradient.
  it.each([
    { create: createEnhancementStage, name: "rec", localTokens: 1 },
    { create: createEnhancementStage, name: "dcr", localTokens: 0.5 },
    { create: createEndToEndStage, name: "rec", localTokens: 0 },
    { create: createEndToEndStage, name: "naive", localTokens: 1 },
  ] as const)("is the slope of its loss: $create.name, $name, local tokens $localTokens", async (given) => {
    const { create, name, localTokens } = given;
    const change = { localTokens, learningRate: 0, maxGradNorm: 1e9, dropout: 0, encoderMicroBatch: 2 };
    const at = (shift: number, direction?: number[]) =>
      enhance(
        objectives[name](),
        change,
        async (stage, { lora, projector }) => {
          const trained = [
            ...lora.parameters(),
            ...(create === createEndToEndStage ? projector.parameters() : []),
          ];
          let place = 0;
          for (const [i, parameter] of trained.entries()) {
            // B starts at zero, where A has no gradient.
            const drawn = uniformArray(i, parameter.value.size, -0.3, 0.3);
            const values = (parameter.value.dataSync() as Float32Array).map(
              (x, j) =>
                x + (i < lora.parameters().length ? drawn[j] : 0) + shift * (direction?.[place++] ?? 0),
            );
            const moved = tf.tensor(values, parameter.shape);
            parameter.assign(moved);
            moved.dispose();
          }
          const { loss } = await stage.step();
          return { loss, gradient: flat(gradientMoments(stage.state())).map((m) => 10 * m) };
        },
        create,
      );
    await expectNoLeaks(async () => {
      const { gradient } = await at(0);
      const norm = Math.hypot(...gradient);
      const direction = gradient.map((x) => x / norm);
      const h = 1e-2;
      const [above, below] = [await at(h, direction), await at(-h, direction)];
      expectClose([(above.loss - below.loss) / (2 * h)], [norm], { relative: 1e-2 });
    });
  });
});

describe("createEndToEndStage", () => {
  it("trains projector and adapters together", async () => {
    await enhance(
      objectives.dcr(),
      {},
      async (stage, { encoder, projector, unet }) => {
        const before = [encoder, projector, unet].map(parametersOf);
        await take(stage, 2);
        const after = [encoder, projector, unet].map((m, i) => changed(before[i], parametersOf(m)).length);
        expect(after[0]).toBeGreaterThan(0);
        expect(after[1]).toBe(6);
        expect(after[2]).toBe(0);
      },
      createEndToEndStage,
    );
  });

  it("refuses an objective through which no projector is trained", async () => {
    // Weight decay alone would move its random weights.
    await expect(enhance(objectives.con(), {}, async () => {}, createEndToEndStage)).rejects.toThrow(
      "createEndToEndStage: objective must use predictions, as the projector is trained through them alone, got con; createEnhancementStage trains the encoder without one",
    );
  });
});
