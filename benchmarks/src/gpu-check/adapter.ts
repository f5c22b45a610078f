import { requestWebGPUDevice } from "@dcr-js/tensor";
import { inOneLine } from "./in-one-line.js";
import { writeRow } from "./row-file.js";

/** Writes the adapter's name, features and limits. Arguments: the file to write, and "webgpu" or "software". */
const [file, kind] = process.argv.slice(2);
const { device, name, isSoftware, features, limits, reason } = await inOneLine(() =>
  requestWebGPUDevice({ software: kind === "software" }),
);
// Their fields are getters of the prototype.
const fields = (of: object): Record<string, unknown> => {
  const names = Object.keys(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(of)));
  return Object.fromEntries(
    names
      .map((key) => [key, (of as Record<string, unknown>)[key]] as const)
      .filter(([, value]) => ["number", "string", "boolean"].includes(typeof value)),
  );
};
await writeRow(file!, {
  name,
  isSoftware,
  reason,
  features: [...features].sort(),
  limits: fields(limits),
  deviceLimits: fields(device.limits),
  info: fields(device.adapterInfo),
});
process.exit();
