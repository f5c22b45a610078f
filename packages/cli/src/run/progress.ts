import { MultiBar, Presets, type SingleBar } from "cli-progress";

/** A worker's report of its work. */
export interface ProgressReport {
  phase: string;
  /** Steps that are done, of `total`; left out where they are those of the report before. */
  steps?: { done: number; total: number };
  loss?: number;
}

/** A line of progress. */
export interface JobProgress {
  show(report: ProgressReport): void;
  log(text: string): void;
  end(how: string): void;
}

/**
 * Shows jobs' progress, with rate and time left, and lines of text.
 *
 * @param names of all jobs, so that their columns begin at one place @param stream by default standard output
 */
export function createProgress(
  names: readonly string[],
  stream: NodeJS.WriteStream = process.stdout,
): {
  job(name: string): JobProgress;
  log(text: string): void;
  close(): void;
} {
  const bars = new MultiBar(
    {
      // The bar is last: a narrow terminal cuts it off, and none of the figures.
      format: "{name} {value}/{total} {phase} | loss {loss} | {rate} | {left} left {bar}",
      stream,
      hideCursor: true,
      noTTYOutput: !stream.isTTY,
      notTTYSchedule: 15_000,
      barsize: 24,
    },
    Presets.shades_classic,
  );
  const width = Math.max(0, ...names.map(({ length }) => length));
  // The library keeps lines until it draws the next time: without a terminal that is seconds later, without a bar never.
  const isDrawn = () => stream.isTTY && bars.isActive;
  const log = (text: string) => {
    if (isDrawn()) bars.log(`${text}\n`);
    else stream.write(`${text}\n`);
  };
  return {
    job: (name) => createJobProgress(bars, { name, width }, log),
    log,
    close: () => {
      if (isDrawn()) bars.update();
      bars.stop();
    },
  };
}

function createJobProgress(
  bars: MultiBar,
  { name, width }: { name: string; width: number },
  log: (text: string) => void,
): JobProgress {
  let bar: SingleBar | undefined;
  let last = { done: 0, total: 1 };
  let shown: { total: number; began: number; first: number; phase: string } | undefined;
  return {
    log: (text) => log(`${name}: ${text}`),
    show({ phase, steps = last, loss }) {
      last = steps;
      const { done, total } = steps;
      const now = performance.now();
      if (shown?.total !== total || shown.phase !== phase) shown = { total, began: now, first: done, phase };
      bar ??= bars.create(total, done, { name: name.padEnd(width), phase, loss: "-", rate: "-", left: "?" });
      bar.setTotal(total);
      const rate = (done - shown.first) / ((now - shown.began) / 1000);
      bar.update(done, {
        phase,
        ...(loss !== undefined && { loss: loss.toPrecision(4) }),
        ...(rate > 0 && { rate: formatRate(rate), left: formatSeconds((total - done) / rate) }),
      });
    },
    end(how) {
      if (!bar) return;
      if (how === "done") bar.update(bar.getTotal(), { phase: how, left: "0 s" });
      else bar.update({ phase: how });
      bar.stop();
    },
  };
}

const formatRate = (perSecond: number) =>
  perSecond >= 0.1 ? `${perSecond.toFixed(2)} steps/s` : `${(1 / perSecond).toFixed(1)} s/step`;

/** A duration in the largest unit that leaves two digits. */
export function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} days`;
}
