interface NodeModules {
  "node:crypto": typeof import("node:crypto");
  "node:fs": typeof import("node:fs");
  "node:fs/promises": typeof import("node:fs/promises");
  "node:module": typeof import("node:module");
  "node:os": typeof import("node:os");
  "node:path": typeof import("node:path");
  "node:readline": typeof import("node:readline");
  "node:stream": typeof import("node:stream");
  "node:worker_threads": typeof import("node:worker_threads");
  "node:zlib": typeof import("node:zlib");
}

/**
 * Node's own modules, asked for when they are first needed. `getBuiltinModule` rather than `import`, so that bundlers
 * for browsers find nothing to resolve.
 */
export function nodeModule<Id extends keyof NodeModules>(id: Id): NodeModules[Id] {
  const builtin = globalThis.process?.getBuiltinModule?.(id);
  if (!builtin) {
    throw new Error(
      `files and worker threads need Node (${id} is not available here); elsewhere give a file's content`,
    );
  }
  return builtin as NodeModules[Id];
}
