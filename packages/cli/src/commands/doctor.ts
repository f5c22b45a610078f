import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, freemem, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Command } from "commander";
import { withoutFunctionName } from "../command-line/naming-option.js";
import { type Probe, type ProbedKind, probeDevice } from "../device/probe-devices.js";
import { formatBytes } from "../plan/format-bytes.js";
import { messageOf } from "../shared/message-of.js";

/** One thing that was looked at. */
interface Finding {
  name: string;
  state: "ok" | "missing" | "note";
  text: string;
}

export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description(
      "Shows what this machine offers: devices and their limits, drivers, Node, and what is missing.",
    )
    .option("--json", "as JSON", false)
    .addHelpText("after", "\nExample:\n  dcr doctor")
    .action(async ({ json }: { json: boolean }) => {
      const findings = await examine();
      if (json) console.log(JSON.stringify(findings, null, 2));
      else {
        const width = Math.max(...findings.map(({ name }) => name.length));
        for (const { name, state, text } of findings) {
          console.log(`${state === "ok" ? "ok     " : state.padEnd(7)} ${name.padEnd(width)}  ${text}`);
        }
      }
      if (findings.some(({ name, state }) => state === "missing" && needed.has(name))) process.exitCode = 1;
    });
}

/** The things that every run needs. */
const needed = new Set(["Node", "WebAssembly", "sharp"]);

async function examine(): Promise<Finding[]> {
  return [
    checkNode(),
    {
      name: "machine",
      state: "note",
      text: `${availableParallelism()} cores, ${formatBytes(totalmem())} of memory, ${formatBytes(freemem())} free`,
    },
    await checkDevice("GPU", "webgpu"),
    await checkDevice("software WebGPU", "software"),
    await checkDevice("WebAssembly", "wasm"),
    ...checkDrivers(),
    await checkModule("webgpu", { of: "@dcr-js/tensor", hint: "npm install webgpu, for GPUs" }),
    await checkModule("sharp", { of: "@dcr-js/data", hint: "npm install sharp, to read images" }),
  ];
}

function checkNode(): Finding {
  const manifest = new URL("../../package.json", import.meta.url);
  const { engines } = JSON.parse(readFileSync(manifest, "utf8")) as { engines: { node: string } };
  const needed = engines.node.replace(/[^0-9.]/g, "");
  const [major = 0, minor = 0] = needed.split(".").map(Number);
  const [own = 0, ownMinor = 0] = process.versions.node.split(".").map(Number);
  const good = own > major || (own === major && ownMinor >= minor);
  const text = `${process.versions.node} at ${process.execPath}`;
  return good
    ? { name: "Node", state: "ok", text }
    : { name: "Node", state: "missing", text: `${text}; ${needed} or later is needed` };
}

async function checkDevice(name: string, kind: ProbedKind): Promise<Finding> {
  const probe = await probeDevice(kind);
  if (!probe.found) return { name, state: "missing", text: withoutFunctionName(probe.why.split("\n")[0]!) };
  return { name, state: "ok", text: describeProbe(probe) };
}

function describeProbe(probe: Extract<Probe, { found: true }>): string {
  const { name, reason, features = [], maxBufferSize, maxStorageBufferBindingSize } = probe;
  const facts = [
    maxBufferSize && `tensors to ${formatBytes(maxBufferSize)}`,
    maxStorageBufferBindingSize && `bindings to ${formatBytes(maxStorageBufferBindingSize)}`,
    ...features,
  ];
  return [reason ? `${name} (${reason})` : name, ...facts.filter(Boolean)].join(", ");
}

/** Vulkan's list of drivers, where the platform has one. */
function checkDrivers(): Finding[] {
  if (process.platform !== "linux") return [];
  const variable = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].find((name) => process.env[name]);
  if (variable) {
    return process.env[variable]!.split(":").map((path) => ({
      name: "Vulkan driver",
      state: existsSync(path) ? "ok" : "missing",
      text: `${path} (${variable})`,
    }));
  }
  const files = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [],
  );
  if (files.length > 0) return files.map((text) => ({ name: "Vulkan driver", state: "ok", text }));
  const text =
    "none is installed; a GPU's comes with its vendor's driver, a software one is Debian's mesa-vulkan-drivers";
  return [{ name: "Vulkan driver", state: "missing", text }];
}

/** Whether a dependency `of` one of our packages loads from there. */
async function checkModule(
  name: string,
  { of, hint }: { of: "@dcr-js/tensor" | "@dcr-js/data"; hint: string },
): Promise<Finding> {
  try {
    const entry = fileURLToPath(import.meta.resolve(of));
    await import(pathToFileURL(createRequire(entry).resolve(name)).href);
    return { name, state: "ok", text: "loads" };
  } catch (error) {
    return { name, state: "missing", text: `${messageOf(error).split("\n")[0]}; ${hint}` };
  }
}
