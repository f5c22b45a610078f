import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

/** Bytes of what a bundler makes of these exports, without tfjs-core and the gradients that it lacks. */
async function bundledSize(entry: string, names: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: {
      contents: `export ${names} from "./${entry}"`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    external: ["@tensorflow/tfjs-core", "*/register-gradients.js"],
  });
  return outputFiles[0].contents.length;
}

it("the diagnostics take less than 10 kB", async () => {
  const names = "{ gradientConflict, createConflictRecorder, recordConflict, summarizeConflict }";
  expect(await bundledSize("index.ts", names)).toBeLessThan(10_000);
});
