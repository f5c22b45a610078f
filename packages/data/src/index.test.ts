import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

it("bundles for browsers without sharp and without Node's modules, and only what is used", async () => {
  const bundle = async (code: string) => {
    const { outputFiles, warnings } = await build({
      stdin: { contents: code, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
      bundle: true,
      platform: "browser",
      format: "esm",
      minify: true,
      write: false,
    });
    expect(warnings).toEqual([]);
    return outputFiles[0]!.text;
  };
  const all = await bundle('export * from "@dcr-js/data"');
  expect(all).not.toMatch(/libvips|from"node:|import\("node:/);
  const resize = await bundle(
    'import { resize } from "@dcr-js/data"; globalThis.half = resize({ data: new Uint8Array(12).fill(7), width: 2, height: 2 }, { width: 1, height: 1 });',
  );
  expect(resize.length).toBeLessThan(8000);
  new Function(resize)();
  expect((globalThis as { half?: unknown }).half).toEqual({
    data: new Uint8Array([7, 7, 7]),
    width: 1,
    height: 1,
  });
});
