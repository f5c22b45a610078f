import type { Evaluation } from "../evaluate/evaluation.js";
import { basisOf, difference, signed } from "./difference.js";
import { type RunFindings, spread } from "./results.js";

/** How a run's methods trade one mean figure for another. */
export interface TradeOff {
  /** Names of the two figures, of the group `means`. */
  x: string;
  y: string;
  /** The meaning of the ellipses. */
  spreadOf: "seeds" | "examples";
  methods: TradeOffPoint[];
}

/** A method's two figures, with a standard deviation over seeds, or with one seed a standard error where it is known. */
export interface TradeOffPoint {
  method: string;
  x: { mean: number; spread: number };
  y: { mean: number; spread: number };
}

/** The group of figures that a picture is drawn of: its first two. */
export const meansGroup = "means";

/**
 * A run's trade-off; undefined where it has nothing to show: two methods or more with `original` among them, and an evaluation
 * whose group `means` has two figures or more.
 */
export function tradeOffOf({ evaluations, results }: RunFindings): TradeOff | undefined {
  const [x, y] = Object.keys(evaluations["original"]?.[0]?.figures[meansGroup] ?? {});
  if (x === undefined || y === undefined || Object.keys(evaluations).length < 2) return undefined;
  const several = results.seeds.length > 1;
  const point = (list: readonly Evaluation[], name: string) => {
    const { mean, std } = spread(list.map(({ figures }) => figures[meansGroup]![name]!));
    return { mean, spread: several ? std : (list[0]!.standardErrors?.[meansGroup]?.[name] ?? 0) };
  };
  return {
    x,
    y,
    spreadOf: several ? "seeds" : "examples",
    methods: Object.entries(evaluations).map(([method, list]) => ({
      method,
      x: point(list, x),
      y: point(list, y),
    })),
  };
}

const list = (parts: readonly string[]) =>
  parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;

/** One sentence: the differences that the figures support at 95 %, each comparison by itself, and those that they do not. */
export function tradeOffSentence(findings: RunFindings, tradeOff: TradeOff): string {
  const methods = tradeOff.methods.map(({ method }) => method).filter((method) => method !== "original");
  const clauses: string[] = [];
  const unknown: string[] = [];
  for (const name of [tradeOff.y, tradeOff.x]) {
    const groups = { rises: [] as string[], falls: [] as string[], unclear: [] as string[] };
    for (const method of methods) {
      const { mean, interval } = difference(
        findings,
        { group: meansGroup, name },
        { from: "original", to: method },
      );
      const shown =
        interval && `${method} (${signed(mean)}, ${signed(interval[0])} to ${signed(interval[1])})`;
      if (interval && interval[0] > 0) groups.rises.push(shown!);
      else if (interval && interval[1] < 0) groups.falls.push(shown!);
      else groups.unclear.push(`${method} (${signed(mean)})`);
    }
    if (groups.rises.length > 0) clauses.push(`${name} rises with ${list(groups.rises)}`);
    if (groups.falls.length > 0) clauses.push(`${name} falls with ${list(groups.falls)}`);
    if (groups.unclear.length > 0) unknown.push(`${name} changes with ${list(groups.unclear)}`);
  }
  const others = methods.filter((method) => method !== "dcr");
  if (methods.includes("dcr")) {
    for (const name of [tradeOff.y, tradeOff.x]) {
      const above: string[] = [];
      const below: string[] = [];
      for (const method of others) {
        const { interval } = difference(findings, { group: meansGroup, name }, { from: method, to: "dcr" });
        if (interval && interval[0] > 0) above.push(`${method}'s`);
        if (interval && interval[1] < 0) below.push(`${method}'s`);
      }
      if (above.length > 0) clauses.push(`dcr's ${name} is above ${list(above)}`);
      if (below.length > 0) clauses.push(`dcr's ${name} is below ${list(below)}`);
    }
  }
  const basis = basisOf(findings.results.seeds);
  const unclear =
    unknown.length > 0 ? `these figures cannot tell whether ${unknown.join(", or whether ")}` : "";
  const said = [...clauses, unclear].filter(Boolean).join("; ");
  return `Against original, in percent points with 95 % intervals (${basis}): ${said}.`;
}
