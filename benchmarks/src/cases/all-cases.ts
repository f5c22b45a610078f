import type { Case } from "../case.js";
import { attentionCases } from "./attention.js";
import { convolutionCases } from "./convolution.js";
import { stepCases } from "./dcr-step.js";
import { elementwiseCases } from "./elementwise.js";
import { matmulCases } from "./matmul.js";
import { modelCases } from "./models.js";
import { normalizationCases } from "./normalization.js";
import { optimizerCases } from "./optimizer.js";
import { rowCases } from "./rows.js";

export const allCases: readonly Case[] = [
  ...matmulCases,
  ...attentionCases,
  ...convolutionCases,
  ...normalizationCases,
  ...elementwiseCases,
  ...rowCases,
  ...optimizerCases,
  ...modelCases,
  ...stepCases,
];
