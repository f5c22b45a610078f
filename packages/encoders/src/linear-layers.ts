import { Linear, type Module } from "@dcr-js/tensor";

/**
 * The linear layers of a model, by path. A layer that holds others, as one with an adapter does, is listed alone.
 *
 * @param prefix put before every path
 */
export function linearLayers(module: Module, prefix = ""): Map<string, Linear> {
  const found = new Map<string, Linear>();
  for (const [name, child] of module.children()) {
    if (child instanceof Linear) found.set(prefix + name, child);
    else for (const [path, layer] of linearLayers(child, `${prefix}${name}.`)) found.set(path, layer);
  }
  return found;
}
