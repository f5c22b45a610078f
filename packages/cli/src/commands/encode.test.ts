import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { initialize, openSafetensors, readSafetensors, writeSafetensors } from "@dcr-js/tensor";
import { writeTestImages } from "@dcr-js/testing/images";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixtures, main, run } from "../../test/run-command.js";

let folder: string;
let images: string[];
const path = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  await initialize({ device: "wasm" });
  folder = await mkdtemp(join(tmpdir(), "dcr-encode-"));
  images = await writeTestImages(path("photos ä"), 20);
});
afterAll(() => rm(folder, { recursive: true }));

const args = ["encode", "--encoder", join(fixtures, "models/siglip"), "--device", "wasm"];
const encode = (...more: string[]) => run([process.execPath, main, ...args, ...more], { cwd: folder });

/** Root may write anywhere: the tests of folders that are read-only run as nobody. */
const user = process.getuid?.() === 0 ? 65534 : undefined;
const readMain = ["-e", "require('node:fs').accessSync(process.argv[1])", main];
const mayRun =
  process.platform !== "win32" &&
  spawnSync(process.execPath, readMain, user === undefined ? {} : { uid: user, gid: user }).status === 0;

describe("dcr encode", () => {
  it("writes features and names, sorted, of images of all formats and of equal names in two folders", async () => {
    for (const part of ["x", "y"]) {
      await mkdir(path("photos ä", part));
      await copyFile(path("photos ä", images[0]!), path("photos ä", part, "same.png"));
    }
    const { code, stdout, stderr } = await encode("--images", "photos ä", "--out", "features ö.safetensors");
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "features: features ö.safetensors, [22,32]\n",
      stderr: "",
    });
    const file = await openSafetensors(path("features ö.safetensors"));
    expect(file.info("features").shape).toEqual([22, 32]);
    const names: string[] = JSON.parse(file.metadata!["names"]!);
    expect(names).toEqual([...images, "x/same.png", "y/same.png"].sort());
    const features = await file.tensor("features");
    await file.close();
    const rows = features.arraySync() as number[][];
    expect(rows[names.indexOf("x/same.png")]).toEqual(rows[names.indexOf(images[0]!)]);
    expect(rows[names.indexOf("y/same.png")]).toEqual(rows[names.indexOf(images[0]!)]);
    features.dispose();
  }, 60_000);

  it("refuses an output that would replace what it reads", async () => {
    await writeFile(path("list.csv"), `path\nphotos ä/${images[0]}\n`);
    const own = await encode("--images", "list.csv", "--out", "list.csv");
    const why = "is there already and is no safetensors file; delete it, or take another name";
    expect(own.stderr).toBe(`error: --out: ${path("list.csv")} ${why}\n`);
    await cp(join(fixtures, "models/siglip"), path("own-encoder"), { recursive: true });
    const command = ["encode", "--encoder", "own-encoder", "--device", "wasm", "--images", "list.csv"];
    const weights = "own-encoder/model.safetensors";
    const ended = await run([process.execPath, main, ...command, "--out", weights], { cwd: folder });
    expect(ended.stderr).toBe(
      `error: --out: ${path(weights)} is in the encoder's folder, a file of which it may replace; take another\n`,
    );
    expect([own.code, ended.code]).toEqual([1, 1]);
  }, 60_000);

  it("refuses features that are not finite, and leaves nothing", async () => {
    await cp(join(fixtures, "models/siglip"), path("overflowing"), { recursive: true });
    const file = path("overflowing/model.safetensors");
    const weights = await readSafetensors(file);
    const name = "vision_model.post_layernorm.weight";
    const shape = weights[name]!.shape;
    const changed = { ...weights, [name]: tf.fill(shape, 3e38) };
    await writeSafetensors(file, changed);
    tf.dispose([weights, changed] as tf.TensorContainer);
    const own = ["encode", "--encoder", "overflowing", "--device", "wasm"];
    const command = [...own, "--images", "photos ä", "--out", "overflowing.safetensors"];
    const { code, stderr } = await run([process.execPath, main, ...command], { cwd: folder });
    expect(stderr).toBe("error: encodeImages: encodeImage's features must be finite, row 0 is not\n");
    expect(code).toBe(1);
    expect(existsSync(path("overflowing.safetensors"))).toBe(false);
  }, 60_000);

  it("names a broken image, and leaves nothing", async () => {
    await writeFile(path("photos ä", "torn.jpg"), "no picture");
    const { code, stderr } = await encode("--images", "photos ä", "--out", "torn.safetensors");
    expect(stderr).toMatch(/^error: .*torn\.jpg.*\n$/);
    expect(code).toBe(1);
    expect(existsSync(path("torn.safetensors"))).toBe(false);
    await rm(path("photos ä", "torn.jpg"));
  }, 60_000);

  it.skipIf(process.platform === "win32")(
    "leaves nothing on a full disk",
    async () => {
      // The shell's limit on file sizes, half a KiB or 1 KiB: the write fails part-way, as on a full disk.
      const own = [...args, "--images", "photos ä", "--out", "full/features.safetensors"];
      await mkdir(path("full"));
      const limited = ["-c", 'ulimit -f 1 && exec "$@"', "sh", process.execPath, main, ...own];
      const { code, stderr } = await run(["sh", ...limited], { cwd: folder });
      expect(stderr).toMatch(/^error: .*features\.safetensors: could not be written \(EFBIG.*\n$/);
      expect(code).toBe(1);
      expect(readdirSync(path("full"))).toEqual([]);
    },
    60_000,
  );

  it.runIf(mayRun)(
    "names a folder that may not be written to, before it reads a model, and leaves it as it was",
    async () => {
      await mkdir(path("read-only"));
      await chmod(path("read-only"), 0o555);
      await chmod(folder, 0o755);
      const runs: [command: string[], named: string][] = [
        [[...args, "--images", "photos ä", "--out", "read-only/features.safetensors"], path("read-only")],
        [
          ["evaluate", ...args.slice(1), "--on", "folder:photos ä", "--out", "read-only/new/evaluation"],
          path("read-only"),
        ],
      ];
      for (const [command, named] of runs) {
        const ended = await run([process.execPath, main, ...command], { cwd: folder, user });
        expect({ ...ended, signal: null }).toEqual({
          code: 1,
          signal: null,
          stdout: "",
          stderr: `error: --out: ${named}: nothing may be written here\n`,
        });
      }
      expect(readdirSync(path("read-only"))).toEqual([]);
    },
    60_000,
  );

  it.skipIf(process.platform === "win32")(
    "leaves whole files or none where it is killed, and a later run takes away what is left",
    async () => {
      // Ends the process by SIGKILL at a call of the file system, which is the KILL_AT-th that writes or renames.
      await writeFile(
        path("kill.mjs"),
        `import fs from "node:fs/promises";
        import { syncBuiltinESMExports } from "node:module";
        let left = Number(process.env.KILL_AT);
        const killing = (call) => (...args) => {
          if (String(args[0]).includes("killed") && --left === 0) process.kill(process.pid, "SIGKILL");
          return call(...args);
        };
        const { open, rename } = fs;
        fs.rename = killing(rename);
        fs.open = killing(open);
        syncBuiltinESMExports();`,
      );
      const killedAt = (count: number, ...command: string[]) =>
        run([process.execPath, main, ...command], {
          cwd: folder,
          env: { NODE_OPTIONS: `--import=${pathToFileURL(path("kill.mjs"))}`, KILL_AT: String(count) },
        });
      const filesIn = (...names: string[]) => readdirSync(path("killed", ...names)).sort();
      await mkdir(path("killed"));
      const features = [...args, "--images", "photos ä", "--out", "killed/features.safetensors"];
      const evaluation = [
        "evaluate",
        ...args.slice(1),
        "--on",
        "folder:classes",
        "--out",
        "killed/evaluation",
      ];
      for (const name of ["a", "b"]) {
        await mkdir(path("classes", name), { recursive: true });
        for (const i of [0, 1, 2])
          await copyFile(path("photos ä", images[i]!), path("classes", name, basename(images[i]!)));
      }
      for (const [count, left] of [
        [1, 0],
        [2, 1],
      ] as const) {
        expect((await killedAt(count, ...features)).signal).toBe("SIGKILL");
        expect(filesIn().filter((name) => !name.endsWith(".tmp"))).toEqual([]);
        expect(filesIn().length).toBe(left);
      }
      expect((await killedAt(0, ...features)).code).toBe(0);
      expect(filesIn()).toEqual(["features.safetensors"]);
      // The second rename is that of the report; its file was written.
      expect((await killedAt(4, ...evaluation)).signal).toBe("SIGKILL");
      const [report, ...results] = filesIn("evaluation");
      expect(report).toMatch(/^report\.html\..*\.tmp$/);
      expect(results).toEqual(["results.json"]);
      expect((await killedAt(0, ...evaluation)).code).toBe(0);
      expect(filesIn("evaluation")).toEqual(["report.html", "results.json"]);
    },
    240_000,
  );
});
