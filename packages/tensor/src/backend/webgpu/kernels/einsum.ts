import { einsumOn } from "../../einsum.js";
import { backendName } from "../backend-name.js";
import type { Kernel, KernelTable } from "./kernel.js";

export const einsumKernels: KernelTable = { Einsum: einsumOn(backendName) as unknown as Kernel };
