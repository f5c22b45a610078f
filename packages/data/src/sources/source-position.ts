import type { Place } from "../pipeline/order.js";
import { describe } from "../shared/check-options.js";
import type { SourcePosition } from "./image-source.js";

/** The data and every setting that the images depend on. A position is valid only for these. */
export interface PositionOwner {
  data: string;
  settings: Record<string, unknown>;
}

/** Everything that a source goes on from. */
export interface SourceState {
  place: Place;
  /** Images of the epoch that were read so far, and how many of them were broken. */
  read: number;
  broken: number;
  /** Batches of the epoch that were handed out. */
  batches: number;
}

const format = "dcr-js image source, version 1";
const placeNames = ["epoch", "taken", "window", "shard", "sample"] as const;
const countNames = ["read", "broken", "batches"] as const;

/** Writes a state as JSON. */
export function toPosition(owner: PositionOwner, state: SourceState): SourcePosition {
  const { place, ...counts } = state;
  return { format, data: owner.data, settings: owner.settings, ...place, ...counts };
}

/**
 * Reads a position that `toPosition` wrote.
 *
 * @throws where it is of another form, of other data or of other settings, with the first that differs
 */
export function fromPosition(caller: string, owner: PositionOwner, position: SourcePosition): SourceState {
  if (typeof position !== "object" || position === null || position["format"] !== format) {
    throw new Error(
      `${caller}: expected a position of ${format}, got ${describe(position?.["format"] ?? position)}`,
    );
  }
  const { data, settings } = position;
  if (data !== owner.data) {
    throw new Error(
      `${caller}: the position is of other data: ${describe(data)}, not ${describe(owner.data)}`,
    );
  }
  for (const [name, value] of Object.entries(owner.settings)) {
    const saved = (settings as Record<string, unknown> | undefined)?.[name];
    if (JSON.stringify(saved) !== JSON.stringify(value)) {
      throw new Error(
        `${caller}: the position is of other settings: ${name} ${JSON.stringify(saved)}, not ${JSON.stringify(value)}`,
      );
    }
  }
  const count = (name: string) => {
    const value = position[name];
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    throw new Error(`${caller}: position.${name} must be an integer, at least 0, got ${describe(value)}`);
  };
  const read = <K extends string>(names: readonly K[]) =>
    Object.fromEntries(names.map((name) => [name, count(name)])) as Record<K, number>;
  return { place: read(placeNames), ...read(countNames) };
}
