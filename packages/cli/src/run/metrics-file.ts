import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

const finiteByName = z.record(z.string(), z.number());

/** One line of `metrics.jsonl`. All but `time` and `at` is a function of the configuration and the kind of device. */
const metricsRowSchema = z.strictObject({
  /** The method; in stage 1 the alignment, such as `align-rec`, or `align-rec-late` of the variant `late`. */
  method: z.string(),
  stage: z.literal([1, 2]),
  seed: z.int().nonnegative(),
  /** From 0, in its stage. */
  step: z.int().nonnegative(),
  loss: z.number(),
  /** Each loss that the method is made of. */
  losses: finiteByName,
  /** The method's measures beside its losses. */
  metrics: finiteByName.optional(),
  /** Global norm of the gradient before clipping. */
  gradNorm: z.number(),
  /** Norm of each loss's gradient, where there are two losses or more. */
  norms: finiteByName.optional(),
  /** Cosines between the losses' gradients by pair, `"a/b"`. */
  cosines: finiteByName.optional(),
  /** `2|a||b| / (|a|^2 + |b|^2)` by pair. */
  magnitudeSimilarities: finiteByName.optional(),
  /** The weight that the aggregator gave to each loss's gradient. */
  weights: finiteByName.optional(),
  /** Seconds that the step took. */
  time: z.number(),
  /** When the step ended, in seconds since 1970. */
  at: z.number(),
});

export type MetricsRow = z.infer<typeof metricsRowSchema>;

/**
 * Reads the rows of a metrics file. A line at the end that is cut short is left out.
 *
 * @param steps that a finished job took; without it every number of rows will do
 * @throws naming a damaged line before the end, and the first row that is missing
 */
export async function readMetrics(path: string, steps = 0): Promise<MetricsRow[]> {
  const { rows } = parse(path, await contents(path));
  refuseGap(path, rows, { steps, who: "the job took" });
  return rows;
}

const goOn = (path: string): string => `delete ${dirname(path)} to make the job anew`;

function refuseGap(
  path: string,
  rows: readonly MetricsRow[],
  { steps, who }: { steps: number; who: string },
): void {
  for (let step = 0; step < steps; step++) {
    if (rows[step]?.step === step) continue;
    throw new Error(`${path}: the row of step ${step} is missing, and ${who} ${steps}; ${goOn(path)}`);
  }
}

/** The metrics of one job, open for writing. */
export interface MetricsFile {
  /** The rows that were there when it was opened. */
  readonly rows: readonly MetricsRow[];
  append(row: MetricsRow): Promise<void>;
  /** Returns when every row is on the disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a metrics file to go on after `steps` steps: rows of later steps, and a last line that is cut short, are removed.
 *
 * @throws if one of the first `steps` rows is missing or damaged
 */
export async function openMetrics(path: string, steps: number): Promise<MetricsFile> {
  await mkdir(dirname(path), { recursive: true });
  const { rows, ends } = parse(path, await contents(path));
  refuseGap(path, rows, { steps, who: "the checkpoint counts" });
  const file = await open(path, "a").catch((error: Error) => {
    throw cannotWrite(path, error);
  });
  await file.truncate(steps === 0 ? 0 : ends[steps - 1]);
  return {
    rows: rows.slice(0, steps),
    append: (row) => appendLine(file, path, row),
    flush: () => file.sync(),
    close: () => file.close(),
  };
}

const cannotWrite = (path: string, error: Error) =>
  new Error(`${path}: could not be written (${error.message})`, { cause: error });

async function appendLine(file: FileHandle, path: string, row: MetricsRow): Promise<void> {
  await file.appendFile(`${JSON.stringify(row)}\n`).catch((error: Error) => {
    throw cannotWrite(path, error);
  });
}

async function contents(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw new Error(`${path}: could not be read (${error.message}); ${goOn(path)}`, { cause: error });
  });
}

/** The rows, and for each the byte after its line. */
function parse(path: string, text: string): { rows: MetricsRow[]; ends: number[] } {
  const rows: MetricsRow[] = [];
  const ends: number[] = [];
  const lines = text.split("\n");
  // The text after the last line end is no line yet.
  lines.pop();
  let end = 0;
  for (const [i, line] of lines.entries()) {
    end += Buffer.byteLength(line) + 1;
    const row = parseRow(line);
    if (row === undefined) {
      // A machine that lost power may leave zeros where the last lines were to be.
      if (lines.slice(i).every((rest) => parseRow(rest) === undefined)) break;
      throw new Error(`${path}: line ${i + 1} is damaged; ${goOn(path)}`);
    }
    rows.push(row);
    ends.push(end);
  }
  return { rows, ends };
}

function parseRow(line: string): MetricsRow | undefined {
  try {
    return metricsRowSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
