import type { Row } from "./compare.js";

const [nameWidth, cellWidth] = [70, 13];

const milliseconds = (ms: number) => `${ms.toPrecision(ms >= 1000 ? 4 : 3)} ms`;
const cells = (values: string[]) => values.map((value) => value.padStart(cellWidth)).join("");

/** The comparison's head; a peer has two columns, its time and by how much ours is faster. */
export const header = (peers: readonly string[]) =>
  `${"".padEnd(nameWidth)}${cells(["ours", "GFLOP/s"])}${peers.map((peer) => peer.padStart(2 * cellWidth)).join("")}`;

export function line({ name, ours, flops, peers, ratio, goal }: Row, order: readonly string[]): string {
  const rate = flops ? (flops / ours / 1e6).toFixed(1) : "";
  const columns = order.flatMap((peer) => {
    if (!(peer in peers)) return ["", "-"];
    const below = peer === "tfjs-backend-webgpu" && ratio[peer] < goal;
    return [milliseconds(peers[peer]), `${ratio[peer].toFixed(2)} x${below ? " !" : "  "}`];
  });
  return `${name.padEnd(nameWidth)}${cells([milliseconds(ours), rate, ...columns])}`;
}

const columns = [
  "dispatches",
  "submits",
  "uploads",
  "readbacks",
  "buffersCreated",
  "bytesAllocated",
  "bindGroupsCreated",
] as const;

/** The device's work for a warm run of ours. */
export function statisticsTable(rows: readonly Row[]): string {
  const width = 19;
  const lines = [`${"".padEnd(nameWidth)}${columns.map((column) => column.padStart(width)).join("")}`];
  for (const { name, statistics } of rows) {
    lines.push(
      `${name.padEnd(nameWidth)}${columns.map((column) => `${statistics[column]}`.padStart(width)).join("")}`,
    );
    const kernels = Object.entries(statistics.dispatchesByKernel).toSorted(([, a], [, b]) => b - a);
    lines.push(`  ${kernels.map(([kernel, count]) => `${kernel} ${count}`).join(", ")}`);
  }
  return lines.join("\n");
}
