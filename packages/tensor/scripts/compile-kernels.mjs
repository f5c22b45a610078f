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
    "--textFile=kernels.wat",
    "--runtime=stub",
    "--importMemory",
    "--initialMemory=1",
    // As far as tfjs-backend-wasm's memory may grow.
    "--maximumMemory=65536",
    "--sharedMemory",
    "-O3",
    "--converge",
    "--noAssert",
    "--enable=simd,threads",
    "--use=abort=",
    // Pointer arithmetic mixes i32 and usize: the memory is tfjs-backend-wasm's, which has 32-bit addresses.
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
if (written["kernels.wat"].includes("(data ")) {
  throw new Error("the kernels have constants in memory, which would overwrite those of tfjs-backend-wasm");
}
// The limits of the imported memory begin with flags: 3 for one that threads share, 1 for one that they do not.
const binary = Buffer.from(written["kernels.wasm"]);
const memoryImport = Buffer.from("\x03env\x06memory\x02\x03", "latin1");
const flagsAt = binary.indexOf(memoryImport) + memoryImport.length - 1;
if (binary[flagsAt] !== 3) throw new Error("the kernels import no shared memory");

const source = `export const kernelsBase64 = "${binary.toString("base64")}";\nexport const memoryFlagsAt = ${flagsAt};\n`;
for (const folder of ["src/backend/wasm", "dist/backend/wasm"]) {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, "kernels-binary.js"), source);
}
