import { type GridLaunch, type LinearLaunch, u32 } from "./launch.js";

/** The traits of an adapter that decide how a launch's indices are distributed over invocations. */
export interface AdapterTraits {
  /** Invocations that a CPU adapter runs as one vector; 0 for a GPU. */
  vectorSize: number;
  /** Workgroups along an axis, at most. */
  maxWorkgroups: number;
}

/** How a launch's indices are distributed over invocations; `main` calls `element` for each. */
interface WorkDistribution {
  /** Everything that `main` depends on besides the adapter. */
  key: string;
  workgroups: GridLaunch["workgroups"];
  workgroupSize: GridLaunch["workgroupSize"];
  main: string;
}

/** A linear launch as a grid of workgroups. */
export function gridLaunchOf(launch: LinearLaunch, traits: AdapterTraits): GridLaunch {
  const { name, count, rowLength, inputs, outputs, body } = launch;
  const distribution =
    count === 0
      ? nothing
      : (traits.vectorSize ? distributeOverVectors : distributeOverInvocations)(launch, traits);
  const parameters = rowLength ? "index: u32, row: u32, column: u32" : "index: u32";
  const own = rowLength ? [u32("rows", count / rowLength), u32("rowLength", rowLength)] : [];
  return {
    name,
    key: `${launch.key}/${distribution.key}`,
    inputs,
    outputs,
    workgroups: distribution.workgroups,
    workgroupSize: distribution.workgroupSize,
    uniforms: [u32("count", count), ...own, ...(launch.uniforms ?? [])],
    declarations: () => `${launch.declarations?.() ?? ""}
fn element(${parameters}) {
  ${body()}
}`,
    body: () => distribution.main,
  };
}

const nothing: WorkDistribution = { key: "", workgroups: [0, 0, 0], workgroupSize: [1, 1, 1], main: "" };

/** Calls `element` with an index and, if there are rows, its row and column. */
const divided = (rowLength?: number) =>
  rowLength ? "element(index, index / u.rowLength, index % u.rowLength);" : "element(index);";

/** Workgroups that keep any number of CPU threads evenly busy. */
const maxVectorWorkgroups = 64;

/** Vector steps that justify a workgroup when a step only computes or moves its own elements. */
const lightSteps = 64;

/** Workgroups for that many steps of a vector. */
const workgroupsFor = (steps: number, { split, rowLength }: LinearLaunch) =>
  Math.min(Math.ceil(steps / (split || rowLength ? lightSteps : 1)), maxVectorWorkgroups);

/**
 * For CPU adapters, where it costs more to start an invocation than to add four numbers: a workgroup is one vector of
 * invocations, which go through a range of indices side by side.
 */
function distributeOverVectors(launch: LinearLaunch, { vectorSize }: AdapterTraits): WorkDistribution {
  const { count, rowLength } = launch;
  const workgroupSize = [vectorSize, 1, 1] as const;
  const stepsOf = (indices: number) => Math.ceil(indices / vectorSize);
  if (rowLength && rowLength >= vectorSize) {
    const [rows, stepsAlong] = [count / rowLength, stepsOf(rowLength)];
    const workgroups = workgroupsFor(rows * stepsAlong, launch);
    const down = Math.min(rows, workgroups);
    const across = Math.min(stepsAlong, Math.floor(workgroups / down));
    return {
      key: "rows",
      workgroups: [across, down, 1],
      workgroupSize,
      main: `let rowShare = (u.rows + groups.y - 1u) / groups.y;
  let share = (u.rowLength + groups.x * ${vectorSize}u - 1u) / (groups.x * ${vectorSize}u) * ${vectorSize}u;
  let rowEnd = min((group.y + 1u) * rowShare, u.rows);
  let end = min((group.x + 1u) * share, u.rowLength);
  for (var row = group.y * rowShare; row < rowEnd; row++) {
    for (var column = group.x * share + localIndex; column < end; column += ${vectorSize}u) {
      element(row * u.rowLength + column, row, column);
    }
  }`,
    };
  }
  return {
    key: rowLength ? "divided" : "",
    workgroups: [workgroupsFor(stepsOf(count), launch), 1, 1],
    workgroupSize,
    main: `let share = (u.count + groups.x * ${vectorSize}u - 1u) / (groups.x * ${vectorSize}u) * ${vectorSize}u;
  let end = min((group.x + 1u) * share, u.count);
  for (var index = group.x * share + localIndex; index < end; index += ${vectorSize}u) { ${divided(rowLength)} }`,
  };
}

/** Invocations in a workgroup: fewer for a small launch, so that no core is idle. */
const threadsFor = (count: number) => (count >= 16384 ? 256 : 64);

/** For GPUs: an invocation for each index. */
function distributeOverInvocations(
  { count, rowLength }: LinearLaunch,
  { maxWorkgroups }: AdapterTraits,
): WorkDistribution {
  // Along rows of eight or more, no invocation has to divide to find its row.
  if (rowLength && rowLength >= 8) {
    const threads = 256;
    const across = Math.min(threads, 2 ** Math.floor(Math.log2(rowLength)));
    const down = threads / across;
    const workgroups = [Math.ceil(rowLength / across), Math.ceil(count / rowLength / down), 1] as const;
    if (workgroups.every((along) => along <= maxWorkgroups)) {
      return {
        key: `rows${across}`,
        workgroups,
        workgroupSize: [across, down, 1],
        main: `let row = group.y * ${down}u + local.y;
  let column = group.x * ${across}u + local.x;
  if (row < u.rows && column < u.rowLength) { element(row * u.rowLength + column, row, column); }`,
      };
    }
  }
  const threads = threadsFor(count);
  const groups = Math.ceil(count / threads);
  const down = Math.ceil(groups / maxWorkgroups);
  return {
    key: `${threads}${rowLength ? "divided" : ""}`,
    workgroups: [Math.ceil(groups / down), down, 1],
    workgroupSize: [threads, 1, 1],
    main: `let index = (group.x + group.y * groups.x) * ${threads}u + localIndex;
  if (index < u.count) { ${divided(rowLength)} }`,
  };
}
