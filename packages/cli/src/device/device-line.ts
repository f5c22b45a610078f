import type { DeviceInfo } from "@dcr-js/tensor";

/** Where a command computes, and why there. */
export const deviceLine = ({ kind, adapter, reason }: DeviceInfo): string =>
  `device: ${kind}${adapter ? ` (${adapter})` : ""}: ${reason}`;
