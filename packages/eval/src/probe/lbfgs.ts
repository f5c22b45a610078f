/** A smooth function's value and gradient at a point. */
export type Objective = (x: Float64Array) => Promise<{ value: number; gradient: Float64Array }>;

export interface LBFGSOptions {
  /** Steps at most. */
  maxIterations: number;
  /** Stops where no component of the gradient is larger. */
  tolerance: number;
}

export interface Minimum {
  x: Float64Array;
  value: number;
  iterations: number;
  /** Whether the gradient became as small as was asked for, or as rounding allows. */
  converged: boolean;
}

/** Pairs of steps and gradient changes that are remembered, SciPy's default. */
const memory = 10;
/** float32 sums hide a rise of the value that is no larger, relative to it; the slope then decides. */
const rounding = 1e-6;

/**
 * Minimises a smooth function by L-BFGS (Nocedal & Wright 2006, algorithm 7.5) with a bisection for the weak Wolfe conditions
 * (Lewis & Overton 2013), or for their approximation near the minimum, where values are too round to compare (Hager & Zhang 2005).
 *
 * @param start is not changed
 */
export async function lbfgs(
  objective: Objective,
  start: Float64Array,
  { maxIterations, tolerance }: LBFGSOptions,
): Promise<Minimum> {
  let x = start;
  let { value, gradient } = await objective(x);
  const pairs: Pair[] = [];
  for (let iterations = 0; ; iterations++) {
    if (largest(gradient) <= tolerance) return { x, value, iterations, converged: true };
    if (iterations === maxIterations) return { x, value, iterations, converged: false };
    const direction = descent(gradient, pairs);
    const first = pairs.length === 0 ? Math.min(1, 1 / largest(gradient)) : 1;
    const next = await lineSearch(objective, { x, value, gradient }, direction, first);
    if (!next) return { x, value, iterations, converged: true };
    const s = subtract(next.x, x);
    const y = subtract(next.gradient, gradient);
    const sy = dot(s, y);
    if (sy > 0) pairs.push({ s, y, sy });
    if (pairs.length > memory) pairs.shift();
    ({ x, value, gradient } = next);
  }
}

interface Pair {
  s: Float64Array;
  y: Float64Array;
  sy: number;
}

interface Point {
  x: Float64Array;
  value: number;
  gradient: Float64Array;
}

/** The two-loop recursion: minus the gradient times an estimate of the inverse Hessian. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const d = gradient.map((value) => -value);
  const alphas: number[] = [];
  for (const { s, y, sy } of [...pairs].reverse()) {
    const alpha = dot(s, d) / sy;
    alphas.push(alpha);
    addScaled(d, y, -alpha);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = last.sy / dot(last.y, last.y);
    for (let i = 0; i < d.length; i++) d[i] *= scale;
  }
  for (const { s, y, sy } of pairs) addScaled(d, s, alphas.pop()! - dot(y, d) / sy);
  return d;
}

/** A point along the direction that fulfils the weak Wolfe conditions; undefined where rounding hides every fall. */
async function lineSearch(
  objective: Objective,
  { x, value, gradient }: Point,
  direction: Float64Array,
  first: number,
): Promise<Point | undefined> {
  const slope = dot(gradient, direction);
  if (slope >= 0) return undefined;
  let [low, high, step] = [0, Number.POSITIVE_INFINITY, first];
  let best: Point | undefined;
  for (let trial = 0; trial < 30; trial++) {
    const to = x.slice();
    addScaled(to, direction, step);
    const found = { x: to, ...(await objective(to)) };
    const reached = dot(found.gradient, direction);
    const falls = found.value <= value + 1e-4 * step * slope;
    const near = found.value <= value + rounding * Math.abs(value) && reached <= (2e-4 - 1) * slope;
    if (!falls && !near) high = step;
    else {
      best = found;
      if (reached >= 0.9 * slope) return found;
      low = step;
    }
    step = Number.isFinite(high) ? (low + high) / 2 : 2 * low;
  }
  return best;
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function addScaled(to: Float64Array, x: Float64Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i] += scale * x[i];
}

const subtract = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value - b[i]);
