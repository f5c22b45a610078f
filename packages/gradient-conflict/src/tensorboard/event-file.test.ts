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
