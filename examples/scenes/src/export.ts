#!/usr/bin/env node
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { exportScenes, formats, identityLists, styleLists } from "./export/export-scenes.js";
import { splits } from "./scenes/splits.js";

const whole = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
};

const program = new Command("export")
  .description("Write scenes as files that other programs read")
  .requiredOption("--out <folder>", "a folder that is empty or not there yet")
  .addOption(new Option("--format <format>", "what is written").choices(formats).makeOptionMandatory())
  .addOption(new Option("--split <split>", "what they are for").choices(splits).default("test"))
  .option("--count <n>", "scenes; with mmvp pairs, a multiple of 16", whole, 1600)
  .option("--seed <n>", "of the generator", whole, 0)
  .option("--size <n>", "width and height in pixels", whole, 32)
  .addOption(
    new Option("--identities <list>", "what they show").choices(Object.keys(identityLists)).default("all"),
  )
  .addOption(
    new Option("--styles <list>", "how it is drawn").choices(Object.keys(styleLists)).default("all"),
  );

const options = program.parse().opts();
try {
  // The command was started from the repository's root or another folder, whichever npm runs the script in.
  const out = resolve(process.env.INIT_CWD ?? process.cwd(), options.out);
  console.log(await exportScenes({ ...options, out } as Parameters<typeof exportScenes>[0]));
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  process.exitCode = 1;
}
