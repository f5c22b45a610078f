// node compile-kernels.mjs FOLDER [--shared-memory]: run in a package's folder, before tsc. Compiles assembly/ to WebAssembly and embeds it in
// src/FOLDER/kernels-binary.js, and in dist, so that browsers and bundlers need no second file.
//
// With --shared-memory the kernels run in tfjs-backend-wasm's memory, which threads may share.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const [folder, ...flags] = process.argv.slice(2);
const isShared = flags.includes("--shared-memory");
const written = {};
const { error, stderr } = await asc.main(
  [
    "assembly/index.ts",
    "--outFile=kernels.wasm",
    "--textFile=kernels.wat",
    "--runtime=stub",
    "--importMemory",
    "--initialMemory=1",
    // All that 32-bit addresses reach, as far as tfjs-backend-wasm's memory may grow.
    "--maximumMemory=65536",
    ...(isShared ? ["--sharedMemory", "--enable=threads"] : []),
    "-O3",
    "--converge",
    "--noAssert",
    "--enable=simd",
    "--use=abort=",
    // Pointer arithmetic mixes i32 and usize.
    "--disableWarning=201",
    `--baseDir=${process.cwd()}`,
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
const binary = Buffer.from(written["kernels.wasm"]);
let source = `export const kernelsBase64 = "${binary.toString("base64")}";\n`;
if (isShared) source += `export const memoryFlagsAt = ${memoryFlagsAt()};\n`;
for (const target of ["src", "dist"].map((root) => join(root, folder))) {
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "kernels-binary.js"), source);
}

/** The byte that says whether the imported memory is shared: 3 for one that is, 1 for one that is not. The backend changes it. */
function memoryFlagsAt() {
  if (written["kernels.wat"].includes("(data ")) {
    throw new Error("the kernels have constants in memory, which would overwrite those of tfjs-backend-wasm");
  }
  // The limits of the imported memory begin with the flags.
  const memoryImport = Buffer.from("\x03env\x06memory\x02\x03", "latin1");
  const at = binary.indexOf(memoryImport) + memoryImport.length - 1;
  if (binary[at] !== 3) throw new Error("the kernels import no shared memory");
  return at;
}
