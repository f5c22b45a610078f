import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createEventFile } from "./event-file.js";

const fixtures = new URL("../../fixtures/tensorboard/", import.meta.url);

it("writes the bytes that TensorBoard's own writer does (tools/reference/tensorboard_events.py)", async () => {
  const { startedAt, events } = JSON.parse(await readFile(new URL("golden.json", fixtures), "utf8"));
  const folder = await mkdtemp(join(tmpdir(), "dcr-events-"));
  const path = join(folder, "job", "events.out.tfevents.1.dcr");
  const file = await createEventFile(path, startedAt);
  for (const event of events) await file.append(event);
  await file.close();
  expect((await readFile(path)).toString("hex")).toBe(
    (await readFile(new URL("golden.tfevents", fixtures))).toString("hex"),
  );
  await rm(folder, { recursive: true });
});

it("refuses an event that no reader could read, and writes nothing of it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dcr-events-"));
  const path = join(folder, "events.out.tfevents.1");
  const file = await createEventFile(path, 1);
  const length = (await readFile(path)).length;
  const event = { at: 1, step: 0, scalars: { loss: 1 } };
  const wrong: [object, string][] = [
    [{ step: -1 }, "EventFile.append: step must be an integer, at least 0, got -1"],
    [{ step: 1.5 }, "EventFile.append: step must be an integer"],
    [{ step: Number.NaN }, "EventFile.append: step must be an integer"],
    [{ at: undefined }, "EventFile.append: at must be a finite number, got undefined"],
    [{ scalars: { loss: "3" } }, 'EventFile.append: scalars["loss"] must be a number, got "3"'],
    [{ scalars: { loss: undefined } }, 'EventFile.append: scalars["loss"] must be a number, got undefined'],
    [{ scalars: 3 }, "EventFile.append: scalars must hold numbers by tag, got 3"],
    [{ value: 3 }, 'EventFile.append: unknown option "value"'],
  ];
  for (const [change, message] of wrong) {
    await expect(file.append({ ...event, ...change } as never)).rejects.toThrow(message);
  }
  expect((await readFile(path)).length).toBe(length);
  await file.append({ ...event, scalars: { loss: Number.NaN } });
  expect((await readFile(path)).length).toBeGreaterThan(length);
  await file.close();
  await expect(createEventFile(path, Number.NaN)).rejects.toThrow(
    "createEventFile: startedAt must be a finite number",
  );
  await expect(createEventFile("", 1)).rejects.toThrow("createEventFile: path must be a string, not empty");
  await rm(folder, { recursive: true });
});
