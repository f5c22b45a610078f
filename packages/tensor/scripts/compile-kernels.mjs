// Compiles assembly/ to WebAssembly and embeds it in a module, so that browsers and bundlers need no second file.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
let binary;
const { error, stderr } = await asc.main(
  [
    "assembly/index.ts",
    "--outFile=kernels.wasm",
    "--runtime=stub",
    "--importMemory",
    "--initialMemory=1",
    "-O3",
    "--converge",
    "--noAssert",
    "--enable=simd",
    "--use=abort=",
    // Pointer arithmetic mixes i32 and usize: the memory is tfjs-backend-wasm's, which has 32-bit addresses.
    "--disableWarning=201",
    `--baseDir=${root}`,
  ],
  {
    writeFile: (_name, contents) => {
      binary = contents;
    },
  },
);
if (error) {
  process.stderr.write(stderr.toString());
  throw error;
}
const source = `export const kernelsBase64 = "${Buffer.from(binary).toString("base64")}";\n`;
for (const folder of ["src/wasm", "dist/wasm"]) {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, "kernels-binary.js"), source);
}
