import { meanInterval } from "@dcr-js/eval";
import type { Evaluation } from "../evaluate/evaluation.js";
import { meanOf, type RunFindings, spread } from "./results.js";

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
const group = "means";

/**
 * A run's trade-off; undefined where it has nothing to show: two methods or more with `original` among them, and an evaluation
 * whose group `means` has two figures or more.
 */
export function tradeOffOf({ evaluations, results }: RunFindings): TradeOff | undefined {
  const [x, y] = Object.keys(evaluations["original"]?.[0]?.figures[group] ?? {});
  if (x === undefined || y === undefined || Object.keys(evaluations).length < 2) return undefined;
  const several = results.seeds.length > 1;
  const point = (list: readonly Evaluation[], name: string) => {
    const { mean, std } = spread(list.map(({ figures }) => figures[group]![name]!));
    return { mean, spread: several ? std : (list[0]!.standardErrors?.[group]?.[name] ?? 0) };
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

/** A difference between two methods with its 95 % interval, in percent points; no interval where one cannot be known. */
interface Difference {
  mean: number;
  interval?: [number, number];
}

/** By seed where there are several, else by standard errors as if the two had been measured on different examples. */
function difference(
  { evaluations, results }: RunFindings,
  name: string,
  { from, to }: { from: string; to: string },
): Difference {
  const values = (method: string) => evaluations[method]!.map(({ figures }) => 100 * figures[group]![name]!);
  const [before, after] = [values(from), values(to)];
  const changes = after.map((value, seed) => value - before[seed]!);
  if (results.seeds.length > 1) return meanInterval(changes);
  const errors = [from, to].map((method) => evaluations[method]![0]!.standardErrors?.[group]?.[name]);
  const mean = meanOf(changes);
  if (errors.includes(undefined)) return { mean };
  const half = 1.959964 * Math.hypot(...(errors as number[])) * 100;
  return { mean, interval: [mean - half, mean + half] };
}

const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
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
      const { mean, interval } = difference(findings, name, { from: "original", to: method });
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
        const { interval } = difference(findings, name, { from: method, to: "dcr" });
        if (interval && interval[0] > 0) above.push(`${method}'s`);
        if (interval && interval[1] < 0) below.push(`${method}'s`);
      }
      if (above.length > 0) clauses.push(`dcr's ${name} is above ${list(above)}`);
      if (below.length > 0) clauses.push(`dcr's ${name} is below ${list(below)}`);
    }
  }
  const { seeds } = findings.results;
  const basis =
    seeds.length > 1 ? `over ${seeds.length} seeds, paired` : "one seed: from the number of examples alone";
  const unclear =
    unknown.length > 0 ? `these figures cannot tell whether ${unknown.join(", or whether ")}` : "";
  const said = [...clauses, unclear].filter(Boolean).join("; ");
  return `Against original, in percent points with 95 % intervals (${basis}): ${said}.`;
}
