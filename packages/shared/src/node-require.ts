import { nodeModule } from "./node-modules.js";

/** Node's `require`, which finds packages from this file on. A bundle in CommonJS has `__filename` and no `import.meta.url`. */
export function nodeRequire(): NodeJS.Require {
  const here = typeof __filename === "string" ? __filename : import.meta.url;
  return nodeModule("node:module").createRequire(here);
}
