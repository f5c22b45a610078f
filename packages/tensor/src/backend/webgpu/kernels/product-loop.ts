import type { Binding } from "../launch.js";

/**
 * An operand of a product as the loop over k reads it: in vectors of neighbouring rows of A, or columns of B. Each of these has an
 * `id`, the suffix of its variables.
 */
export interface Operand {
  /** Type left to the loop. */
  binding: Binding;
  /**
   * Which elements lie side by side in memory, aligned, so that one load reads them: the neighbours of a vector (`at` is then called
   * for the first only), or two steps of k.
   */
  sideBySide: "neighbours" | "steps" | null;
  /** WGSL of the offset of an element, counted in elements. */
  at: (id: string, k: string) => string;
  /** WGSL of the value, from the element there. Default the element. */
  map?: (element: string, id: string, k: string) => string;
}

/** The loop over k for tiles held in registers, in WGSL that also sees `z`. */
export interface ProductLoop {
  /** Everything that the WGSL depends on besides the rest of the product. */
  key: string;
  a: Operand;
  b: Operand;
  /** Inputs besides. */
  inputs?: readonly Binding[];
  /** WGSL of where `k` ends, and whether that is an even number. */
  end: string;
  isEven: boolean;
  /**
   * WGSL around the loop. It declares the offsets that operands are read at, for ids whose `row<id>` and `column<id>` are in range.
   * Control flow must not depend on these, since the invocations of a subgroup exchange values.
   */
  around: (ids: { rows: readonly string[]; columns: readonly string[] }, loop: string) => string;
}

/** The tile of C that an invocation computes: the suffixes of its vectors of rows and columns, and the steps of k that it takes at a time. */
export interface Tile {
  rows: readonly string[];
  rowWidth: 2 | 4;
  columns: readonly string[];
  steps: 1 | 2;
}

export const columnWidth = 4;

export const range = (n: number) => Array.from({ length: n }, (_, i) => i);

const sideOf = ({ sideBySide }: Operand, { steps }: Tile) =>
  sideBySide === "steps" && steps === 1 ? null : sideBySide;

const idsOf = (operand: Operand, tile: Tile, vectors: readonly string[], width: number): string[] =>
  vectors.flatMap((s) => range(sideOf(operand, tile) === "neighbours" ? 1 : width).map((j) => `${s}_${j}`));

/** Everything that the WGSL of a loop depends on. */
export const loopKey = ({ key, a, b, isEven }: ProductLoop, { rows, rowWidth, columns, steps }: Tile) =>
  [rows.length, rowWidth, columns.length, steps, a.sideBySide, b.sideBySide, isEven, key].join("/");

/** How many elements an operand whose vectors have `width` reads at once. */
export function readWidth(operand: Operand, tile: Tile, width: number): number {
  const side = sideOf(operand, tile);
  if (side === null) return 1;
  return side === "steps" ? tile.steps : width;
}

/** The bindings of a loop's inputs. An operand's type is the vector that it reads at once. */
export function loopInputs({ a, b, inputs = [] }: ProductLoop, tile: Tile): Binding[] {
  const typed = (operand: Operand, vectorWidth: number): Binding => {
    const width = readWidth(operand, tile, vectorWidth);
    return { ...operand.binding, type: width === 1 ? "f32" : `vec${width}<f32>` };
  };
  return [typed(a, tile.rowWidth), typed(b, columnWidth), ...inputs];
}

/**
 * WGSL of a product's whole loop. Given `row<s>` and `column<s>`, where vectors begin, `step` runs with `a<s>_<i>` and `b<s>_<i>`,
 * those vectors' values at the i-th of the k taken at a time.
 */
export function loopText(loop: ProductLoop, tile: Tile, step: string): string {
  const { a, b, end, isEven, around } = loop;
  const { rows, rowWidth, columns, steps } = tile;
  const ids = { rows: idsOf(a, tile, rows, rowWidth), columns: idsOf(b, tile, columns, columnWidth) };
  const starts = (operand: Operand, name: string, extent: string, width: number) => (id: string) => {
    const [s, j] = id.split("_");
    return sideOf(operand, tile) === "neighbours"
      ? `let ${name}${id} = min(${name}${s}, u.${extent} - ${width}u);`
      : `let ${name}${id} = min(${name}${s} + ${j}u, u.${extent} - 1u);`;
  };
  const hasEdge = steps === 2 && !isEven;
  const text = `let end = ${end};
  for (var k = 0u; k < end; k += ${steps}u) {
    ${hasEdge ? "let both = k + 1u < end; let next = select(k, k + 1u, both);" : ""}
    ${[
      ...loads("a", a, { tile, vectors: rows, width: rowWidth, hasEdge }),
      ...loads("b", b, { tile, vectors: columns, width: columnWidth, hasEdge }),
    ].join("\n    ")}
    ${step}
  }`;
  return `${ids.rows.map(starts(a, "row", "m", rowWidth)).join(" ")}
  ${ids.columns.map(starts(b, "column", "n", columnWidth)).join(" ")}
  ${around(ids, text)}`;
}

/** WGSL that loads an operand's vectors for the steps of k taken at a time. */
function loads(
  name: "a" | "b",
  operand: Operand,
  {
    tile,
    vectors,
    width,
    hasEdge,
  }: { tile: Tile; vectors: readonly string[]; width: number; hasEdge: boolean },
): string[] {
  const { binding, at, map = (element) => element } = operand;
  const side = sideOf(operand, tile);
  const ks = ["k", hasEdge ? "next" : "(k + 1u)"].slice(0, tile.steps);
  return vectors.flatMap((s) => {
    const read = (id: string, k: string, count: number) => `load_${binding.name}((${at(id, k)}) / ${count}u)`;
    const ids = range(width).map((j) => `${s}_${side === "neighbours" ? 0 : j}`);
    const shared = {
      neighbours: () => ks.map((k, i) => `let ${name}Read${s}_${i} = ${read(ids[0], k, width)};`),
      steps: () => ids.map((id) => `let ${name}Read${id} = ${read(id, ks[0], tile.steps)};`),
      none: () => [],
    }[side ?? "none"]();
    const value = (i: number, j: number) => {
      const element = {
        neighbours: `${name}Read${s}_${i}[${j}]`,
        steps: `${name}Read${ids[j]}[${i}]`,
        none: `load_${binding.name}(${at(ids[j], ks[i])})`,
      }[side ?? "none"];
      const mapped = map(element, ids[j], ks[i]);
      return hasEdge && i === 1 ? `select(0.0, ${mapped}, both)` : mapped;
    };
    const values = ks.map(
      (_, i) =>
        `let ${name}${s}_${i} = vec${width}<f32>(${range(width)
          .map((j) => value(i, j))
          .join(", ")});`,
    );
    return [...shared, ...values];
  });
}
