interface NodeModules {
  "node:crypto": typeof import("node:crypto");
  "node:fs": typeof import("node:fs");
  "node:fs/promises": typeof import("node:fs/promises");
  "node:module": typeof import("node:module");
  "node:os": typeof import("node:os");
  "node:path": typeof import("node:path");
}

/**
 * Node's own modules, asked for when they are first needed. `getBuiltinModule` rather than `import`, so that bundlers
 * for browsers find nothing to resolve.
 */
export function nodeModule<Id extends keyof NodeModules>(id: Id): NodeModules[Id] {
  const builtin = globalThis.process?.getBuiltinModule?.(id);
  if (!builtin) {
    throw new Error(
      `files are read and written in Node alone (${id} is not available here); elsewhere use parseSafetensors and serializeSafetensors`,
    );
  }
  return builtin as NodeModules[Id];
}
