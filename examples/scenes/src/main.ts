#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { runCommandLine } from "@dcr-js/cli";

/** `dcr enhance` with the benchmark's settings; options override them. */
const args = process.argv.slice(2);
const quick = args.includes("--quick");
const settings = fileURLToPath(new URL(quick ? "../quick.yaml" : "../scenes.yaml", import.meta.url));
const own = args.includes("--resume") ? [] : ["--config", settings];
const rest = args.filter((arg) => arg !== "--quick");

await runCommandLine(["enhance", ...own, ...rest], {
  // The command was started from the repository's root, whichever folder npm runs the script in.
  base: process.env.INIT_CWD ?? process.cwd(),
  invocation: "npm start --",
});
