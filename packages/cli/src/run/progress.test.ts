import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createProgress, formatSeconds } from "./progress.js";

/** A stream that remembers what was written to it. */
function output(isTTY: boolean) {
  const stream = new PassThrough() as unknown as NodeJS.WriteStream & PassThrough;
  const ofTerminals = { columns: 200, cursorTo() {}, moveCursor() {}, clearLine() {}, clearScreenDown() {} };
  Object.assign(stream, { isTTY, ...ofTerminals });
  return { stream, written: () => String(stream.read() ?? "") };
}

describe.each([true, false])("createProgress where a terminal is there: %s", (isTTY) => {
  it("loses no line: before the first bar, beside it, right before the end, and after it", () => {
    const { stream, written } = output(isTTY);
    const progress = createProgress(["dcr-seed0"], stream);
    progress.log("before");
    expect(written()).toBe("before\n");
    const job = progress.job("dcr-seed0");
    job.show({ phase: "training", steps: { done: 1, total: 4 } });
    job.log("skipped: x.jpg");
    progress.log("stopping");
    progress.close();
    const text = written();
    expect(text).toContain("dcr-seed0: skipped: x.jpg\n");
    expect(text).toContain("stopping\n");
    expect(text).toContain("1/4 training");
    progress.log("after");
    expect(written()).toBe("after\n");
  });
});

it("createProgress writes a line at once where no terminal is there", () => {
  const { stream, written } = output(false);
  const progress = createProgress(["dcr-seed0"], stream);
  const job = progress.job("dcr-seed0");
  job.show({ phase: "training", steps: { done: 1, total: 4 } });
  written();
  job.log("skipped: x.jpg");
  expect(written()).toBe("dcr-seed0: skipped: x.jpg\n");
  progress.close();
});

it("createProgress counts the steps to the end, names at one width, and the bar behind the figures", () => {
  const { stream, written } = output(true);
  const progress = createProgress(["align-rec-naive+pcgrad-seed0", "dcr-seed0"], stream);
  const job = progress.job("dcr-seed0");
  job.show({ phase: "training", steps: { done: 3, total: 3 }, loss: 2 });
  // Neither has steps of its own.
  for (const phase of ["writing", "evaluating"]) {
    job.show({ phase });
    written();
  }
  job.end("done");
  progress.close();
  const name = "dcr-seed0".padEnd("align-rec-naive+pcgrad-seed0".length);
  expect(written()).toMatch(new RegExp(`${name} 3/3 done \\| loss 2\\.000 \\| [^|]* \\| 0 s left █+`));
});

it("formatSeconds takes the largest unit that leaves two digits", () => {
  expect([0.4, 119, 120, 7199, 7200, 172_799, 172_800].map(formatSeconds)).toEqual([
    "0 s",
    "119 s",
    "2 min",
    "120 min",
    "2.0 h",
    "48.0 h",
    "2.0 days",
  ]);
});
