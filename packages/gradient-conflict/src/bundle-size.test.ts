import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

/** Bytes of what a bundler makes of these exports of the built package, without tfjs-core. */
async function bundledSize(entry: string, names: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: {
      contents: `export ${names} from "${entry}"`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    external: ["@tensorflow/tfjs-core"],
  });
  return outputFiles[0].contents.length;
}

it("the diagnostics take less than 10 kB, and less than 60 kB with tfjs-core's gradients", async () => {
  const names = "{ gradientConflict, createConflictRecorder, recordConflict, summarizeConflict }";
  expect(await bundledSize("@dcr-js/gradient-conflict/diagnostics", names)).toBeLessThan(9_500);
  expect(await bundledSize("@dcr-js/gradient-conflict", names)).toBeLessThan(60_000);
});
