#!/usr/bin/env node
import { Command } from "commander";

const program = new Command("dcr").description(
  "Enhances visual encoders with Diffusion Contrastive Reconstruction, on your own models and images.",
);

await program.parseAsync();
