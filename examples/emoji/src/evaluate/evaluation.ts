import type { Evaluation, EvaluationInput, EvaluationModule } from "@dcr-js/cli";
import { loadEmoji } from "../data/emoji.js";
import { loadMnist } from "../data/mnist.js";
import { type EvaluatedSplit, evaluateEmoji } from "./evaluate.js";
import { paintReconstructions } from "./reconstructions.js";

/** What `--evaluate` of the command takes, on a split of the codes. */
export const evaluationOn =
  (split: EvaluatedSplit): EvaluationModule =>
  async (input: EvaluationInput): Promise<Evaluation> => {
    const [emoji, mnist] = [await loadEmoji(), await loadMnist()];
    const evaluation = await evaluateEmoji(input, { emoji, mnist }, split);
    const { projector, diffusion } = input;
    if (!projector || !diffusion) return evaluation;
    const png = await paintReconstructions({ ...input, projector, diffusion }, emoji, split);
    const title =
      "Held-out emoji, and below each what the denoiser paints from its feature: 20 DDIM steps, the same noise for each";
    return { ...evaluation, pictures: [{ title, png: Buffer.from(png).toString("base64") }] };
  };
