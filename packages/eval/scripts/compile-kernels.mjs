// Compiles assembly/ to WebAssembly and embeds it in a module, so that browsers and bundlers need no second file.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const written = {};
const { error, stderr } = await asc.main(
  [
    "assembly/index.ts",
    "--outFile=kernels.wasm",
    "--runtime=stub",
    "--importMemory",
    "--initialMemory=1",
    "--maximumMemory=65536",
    "-O3",
    "--converge",
    "--noAssert",
    "--enable=simd",
    "--use=abort=",
    // Pointer arithmetic mixes i32 and usize.
    "--disableWarning=201",
    `--baseDir=${root}`,
  ],
  {
    writeFile: (name, contents) => {
      written[name] = contents;
    },
  },
);
if (error) {
  process.stderr.write(stderr.toString());
  throw error;
}
const source = `export const kernelsBase64 = "${Buffer.from(written["kernels.wasm"]).toString("base64")}";\n`;
for (const folder of ["src/search", "dist/search"]) {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, "kernels-binary.js"), source);
}
