#!/usr/bin/env node
import { resolve } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { Command, InvalidArgumentError } from "commander";
import { allCases } from "./cases/all-cases.js";
import { stepCases } from "./cases/dcr-step.js";
import { modelCases } from "./cases/models.js";
import { compare, noCase, type Row } from "./compare.js";
import { type PeerName, peerNames, startContenders } from "./contenders.js";
import { header, line, statisticsTable } from "./table.js";

const positive = (text: string) => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("expected a number above 0");
  return value;
};
const peerList = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((name) => name !== "none")
    .map((name) => {
      const found = peerNames.find((peer) => peer === name);
      if (!found) throw new InvalidArgumentError(`"${name}" is none of ${peerNames.join(", ")}`);
      return found;
    });

const options = new Command("npm run bench -w benchmarks --")
  .description("Times our WebGPU backend beside its peers, turn by turn, on one adapter.")
  .option("--filter <text>", "only cases whose name contains this", "")
  .option("--peers <names>", "comma-separated, or none", peerList, [...peerNames])
  .option("--seconds <n>", "of measuring for a case", positive, 0.5)
  .option("--rounds <n>", "for a case at the least, each contender once in each", positive, 5)
  .option("--json <file>", "writes the rows there as well")
  .option("--list", "prints the cases' names and stops")
  .parse()
  .opts<{
    filter: string;
    peers: PeerName[];
    seconds: number;
    rounds: number;
    json?: string;
    list?: boolean;
  }>();

const cases = allCases.filter(({ name }) => name.toLowerCase().includes(options.filter.toLowerCase()));

async function main(): Promise<void> {
  if (options.list) {
    for (const { name } of cases) console.log(name);
    return;
  }
  if (cases.length === 0)
    throw new Error(`--filter: no case's name contains "${options.filter}"; see --list`);
  const { adapter, contenders } = await startContenders(options.peers);
  console.log(`WebGPU adapter: ${adapter}; medians, and by how much ours is faster (! is below the goal)\n`);
  console.log(header(options.peers));
  const rows: Row[] = [];
  for (const what of cases) {
    try {
      const row = await compare(what, contenders, { ...options, adapter });
      rows.push(row);
      console.log(line(row, options.peers));
      for (const [peer, why] of Object.entries(row.absent))
        if (why !== noCase) console.log(`  ${peer}: ${why}`);
    } catch (error) {
      console.log(`${what.name}\n  ours failed: ${(error as Error).message}`);
      process.exitCode = 1;
    }
    // The command was started from the repository's root, whichever folder npm runs the script in.
    if (options.json) {
      const path = resolve(process.env.INIT_CWD ?? process.cwd(), options.json);
      await writeFileAtomically(path, `${JSON.stringify(rows, null, 2)}\n`);
    }
  }
  const counted = new Set([...modelCases, ...stepCases].map(({ name }) => name));
  const models = rows.filter(({ name }) => counted.has(name));
  if (models.length > 0)
    console.log(`\nWhat a run of ours asks of the device, once warm\n\n${statisticsTable(models)}`);
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
// Dawn's devices would keep the process alive.
process.exit();
