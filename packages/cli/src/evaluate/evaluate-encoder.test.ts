import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TextTokenizer } from "@dcr-js/encoders";
import { reportHTML, type Section, type TableSection } from "@dcr-js/eval";
import { initialize } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import { writeTestImages } from "@dcr-js/testing/images";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkEvaluations, evaluateEncoder } from "./evaluate-encoder.js";
import { type LoadedEncoder, loadWholeEncoder } from "./loaded-encoder.js";

let folder: string;
let loaded: LoadedEncoder;
const path = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  await initialize({ device: "wasm" });
  folder = await mkdtemp(join(tmpdir(), "dcr-evaluate-"));
  loaded = await loadWholeEncoder(fileURLToPath(new URL("../../fixtures/models/clip", import.meta.url)));
  const names = await writeTestImages(path("classes"), 30);
  await mkdir(path("mmvp/MLLM_VLM Images/Colour, and more"), { recursive: true });
  for (const [i, name] of names.slice(0, 4).entries()) {
    await cp(path("classes", name), path(`mmvp/MLLM_VLM Images/Colour, and more/${i + 1}.jpg`));
  }
  await writeFile(
    path("mmvp/Questions.csv"),
    '\ufeffQuestion ID,Type,Statement\r\n1,"Colour, and more","A ""red"" one"\r\n2,"Colour, and more",A blue one\r\n3,"Colour, and more",up\r\n4,"Colour, and more",down\r\n',
  );
});
afterAll(async () => {
  loaded.dispose();
  await rm(folder, { recursive: true });
});

/** An encoder that reads texts. */
const text = { hasText: true, tokenizer: {} as TextTokenizer };
const evaluate = (what: string) => evaluateEncoder([what], { ...loaded, seed: 0 });

describe("evaluateEncoder", () => {
  it("measures MMVP-VLM's pairs as published", async () => {
    await expectNoLeaks(async () => {
      const { figures, patterns } = await evaluate(`mmvp:${path("mmvp")}`);
      expect([0, 0.5, 1]).toContain(figures["MMVP-VLM"]!.pairs);
      expect(patterns).toEqual([
        { measure: "MMVP-VLM", pattern: "Colour, and more", accuracy: figures["MMVP-VLM"]!.pairs, count: 2 },
      ]);
    });
  });

  it("measures a folder with a folder for each class", async () => {
    await expectNoLeaks(async () => {
      const { figures } = await evaluate(`folder:${path("classes")}`);
      expect(Object.keys(figures.classes!)).toEqual(["NMI", "ACC", "ARI", "kNN"]);
      // Three classes of ten: the best matching of clusters puts a third right at least.
      expect(figures.classes!.ACC).toBeGreaterThanOrEqual(1 / 3);
      expect(await evaluate(`folder:${path("classes")}`)).toEqual({
        figures,
        patterns: [],
        standardErrors: {},
        pictures: [],
        features: undefined,
      });
    });
  });

  it("adds sections to a report where one is asked for", async () => {
    const sections: Section[] = [];
    await expectNoLeaks(async () => {
      const what = [`folder:${path("classes")}`, `mmvp:${path("mmvp")}`];
      const { figures } = await evaluateEncoder(what, {
        ...loaded,
        seed: 0,
        addSection: (section) => sections.push(section),
      });
      expect(sections.map(({ kind, title }) => `${kind} ${title}`)).toEqual([
        "table classes: measures",
        "confusion classes: 5 nearest neighbours",
        "points classes: t-SNE",
        "points classes: UMAP",
        "gallery classes: nearest neighbours",
        "shares MMVP-VLM",
        "table MMVP-VLM: pairs",
      ]);
      const { rows } = sections[0] as TableSection;
      expect(rows).toContainEqual(["k-means, nmi", figures.classes!.NMI]);
      expect(rows).toContainEqual(["5 nearest neighbours, accuracy", figures.classes!.kNN]);
      // The published script's words stand before each statement.
      expect((sections[6] as TableSection).rows[0]!.slice(1, 3)).toEqual([
        'a photo of A "red" one',
        "a photo of A blue one",
      ]);
      expect(reportHTML({ title: "t", sections })).toContain("<h2>MMVP-VLM: pairs</h2>");
    });
  });

  it("takes the README's module", async () => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const [, code] = /```js\n\/\/ my-evaluation\.mjs\n([\s\S]*?)```/.exec(readme)!;
    const [tfjs, file] = ["@tensorflow/tfjs-core", path("readme.mjs")];
    await writeFile(file, code!.replace(`"${tfjs}"`, JSON.stringify(import.meta.resolve(tfjs))));
    const sections: Section[] = [];
    await expectNoLeaks(async () => {
      const addSection = (section: Section) => sections.push(section);
      const { figures, patterns, features } = await evaluateEncoder([file], {
        ...loaded,
        seed: 0,
        addSection,
      });
      expect(figures).toEqual({ means: { P: 0.5, D: 0.25 }, colours: { k: 0.1 } });
      expect(patterns).toHaveLength(1);
      expect(features!.values[0]).toHaveLength(loaded.encoder.featureSize);
    });
    expect((sections[0] as TableSection).rows[0]).toEqual([expect.any(Number)]);
  });

  it("leaves the silhouette out where each image is a class of its own", async () => {
    const images = await writeTestImages(path("some"), 2);
    for (const [i, image] of images.entries()) {
      await cp(path("some", image), path("pair", String(i), basename(image)));
    }
    const sections: Section[] = [];
    const addSection = (section: Section) => sections.push(section);
    await evaluateEncoder([`folder:${path("pair")}`], { ...loaded, seed: 0, addSection });
    const names = (sections[0] as TableSection).rows.map(([name]) => name);
    expect(names).toContain("k-means, nmi");
    expect(names.filter((name) => String(name).startsWith("silhouette"))).toEqual([]);
  });

  it("takes a module, and names what is wrong with its result", async () => {
    const write = async (name: string, code: string) => {
      await writeFile(path(name), code);
      return path(name);
    };
    const good = await write("good.mjs", "export default ({ seed }) => ({ figures: { own: { seed } } });");
    expect((await evaluate(good)).figures).toEqual({ own: { seed: 0 } });
    const bad = await write("bad.mjs", "export default () => ({ figures: { own: { x: NaN } } });");
    await expect(evaluate(bad)).rejects.toThrow(`${bad}: figures.own.x: expected number, got NaN`);
    const far = await write("far.mjs", "export default () => ({ figures: { own: { x: 59.7 } } });");
    await expect(evaluate(far)).rejects.toThrow(
      `${far}: figures.own.x: expected a number of at most 1, got 59.7`,
    );
    const nothing = await write("nothing.mjs", "export default () => undefined;");
    await expect(evaluate(nothing)).rejects.toThrow(`${nothing}: its result: expected object, got undefined`);
    for (const [i, [thrown, text]] of [
      ['"no network"', "no network"],
      ["undefined", "undefined"],
      ["null", "null"],
      ["{ code: 1 }", '{"code":1}'],
    ].entries()) {
      const path = await write(`throws-${i}.mjs`, `export default () => { throw ${thrown}; };`);
      await expect(evaluate(path)).rejects.toThrow(new Error(`${path}: ${text}`));
    }
    const none = await write("none.mjs", "export const x = 1;");
    await expect(checkEvaluations([none], text)).rejects.toThrow(
      /none\.mjs: the default export must be a function, got undefined/,
    );
  });
});

describe("checkEvaluations", () => {
  it.each([
    ["mmvp", /^--evaluate mmvp: expected mmvp:<folder>, folder:<folder> or a module$/],
    ["folder:/none", /--evaluate folder:\/none: no such folder/],
  ])("refuses %s", async (what, message) => {
    await expect(checkEvaluations([what], text)).rejects.toThrow(message);
  });

  it("names an encoder that cannot read the statements", async () => {
    const what = [`mmvp:${path("mmvp")}`];
    await expect(checkEvaluations(what, { hasText: false })).rejects.toThrow(
      /^--evaluate mmvp:.*: the statements cannot be read: the encoder has no text tower$/,
    );
    await expect(checkEvaluations(what, { hasText: true })).rejects.toThrow(/folder has no tokenizer$/);
    await checkEvaluations(what, text);
    await expect(checkEvaluations(["folder:/none"], text, "--on")).rejects.toThrow(/^--on folder:/);
  });

  it("refuses two of one name, whose figures would be taken for one", async () => {
    await cp(path("classes"), path("other/classes"), { recursive: true });
    const twice = ["classes", "other/classes"].map((name) => `folder:${path(name)}`);
    await expect(checkEvaluations(twice, text)).rejects.toThrow(
      `--evaluate ${twice[1]}: its figures are of the group "classes", as those of ${twice[0]}; rename one folder`,
    );
    await cp(path("mmvp"), path("other/mmvp"), { recursive: true });
    await expect(
      checkEvaluations([`mmvp:${path("mmvp")}`, `mmvp:${path("other/mmvp")}`], text),
    ).rejects.toThrow(/its figures are of the group "MMVP-VLM", as those of /);
    const means = async (name: string, result: object) => {
      await writeFile(path(name), `export default () => (${JSON.stringify(result)});`);
      return path(name);
    };
    const patterns = [{ measure: "P", pattern: "x", accuracy: 1, count: 1 }];
    const features = { values: [[1]], labels: ["a"] };
    for (const [i, [result, what]] of [
      [{ figures: { means: { P: 1 } } }, 'figures of the group "means"'],
      [{ figures: {}, patterns }, 'patterns of the measure "P"'],
      [{ figures: {}, features }, "features"],
    ].entries()) {
      const modules = [
        await means(`one-${i}.mjs`, result as object),
        await means(`two-${i}.mjs`, result as object),
      ];
      await expect(evaluateEncoder(modules, { ...loaded, seed: 0 })).rejects.toThrow(
        `${modules[0]} and ${modules[1]} both give ${what}; one of them may`,
      );
    }
  });

  it("names rows that are no pairs, and folders that are no classes", async () => {
    await mkdir(path("odd"));
    await writeFile(path("odd/Questions.csv"), "id,type,text\n1,a,b\n");
    await expect(checkEvaluations([`mmvp:${path("odd")}`], text)).rejects.toThrow(
      /Questions\.csv: expected pairs of questions, got 1 rows/,
    );
    await writeFile(path("odd/Questions.csv"), "id,type,text\n1,a,b\n2,c,d\n");
    await expect(checkEvaluations([`mmvp:${path("odd")}`], text)).rejects.toThrow(
      /rows 2 and 3 are a pair and must have one pattern/,
    );
    await writeFile(path("odd/Questions.csv"), "id,type,text\n1,a,b\nx,a,d\n");
    await expect(checkEvaluations([`mmvp:${path("odd")}`], text)).rejects.toThrow(/row 3 must have a number/);
    await expect(checkEvaluations([`folder:${path("classes/stripes")}`], text)).rejects.toThrow(
      /^--evaluate folder:.*stripes: .*stripes must hold a folder for each of two classes or more, got 0$/,
    );
    // As torchvision's ImageFolder, which finds "no valid file for the classes".
    await cp(path("classes"), path("gap"), { recursive: true });
    await mkdir(path("gap/empty"));
    await expect(checkEvaluations([`folder:${path("gap")}`], text)).rejects.toThrow(
      /gap: expected images in every class's folder, got none in "empty"$/,
    );
    await rm(path("gap/empty"), { recursive: true });
    await writeFile(path("gap/0.png"), "");
    await expect(checkEvaluations([`folder:${path("gap")}`], text)).rejects.toThrow(
      /0\.png is in no class's folder$/,
    );
  });
});
