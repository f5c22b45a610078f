import { type DeviceChoice, deviceChoices } from "@dcr-js/tensor";
import { type Command, Option } from "commander";

export interface DeviceOption {
  device: DeviceChoice;
}

/** Adds `--device` to a command that trains nothing. */
export const addDeviceOption = (command: Command): Command =>
  command.addOption(new Option("--device <kind>", "where to compute").choices(deviceChoices).default("auto"));
