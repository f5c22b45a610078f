import { execFile, execFileSync } from "node:child_process";

/** One line for each card: name, driver and memory; undefined without nvidia-smi. */
export function nvidiaCards(): string[] | undefined {
  try {
    const fields = "--query-gpu=name,driver_version,memory.total,pcie.link.gen.max,clocks.max.sm";
    const text = execFileSync("nvidia-smi", [fields, "--format=csv,noheader"], {
      encoding: "utf8",
      timeout: 10_000,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return text.trim().split("\n");
  } catch {
    return undefined;
  }
}

/** Asks nvidia-smi every second for the memory in use. */
export class GpuMemory {
  private peak: number | undefined;
  private readonly timer = setInterval(() => this.ask(), 1000);

  private ask(): void {
    const fields = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
    execFile("nvidia-smi", fields, { timeout: 5000 }, (error, text) => {
      const used = Math.max(...text.trim().split("\n").map(Number));
      if (!error && Number.isFinite(used)) this.peak = Math.max(this.peak ?? 0, used);
      // Not there: do not start a process each second for nothing.
      else clearInterval(this.timer);
    });
  }

  /** MiB; undefined without nvidia-smi. */
  finish(): number | undefined {
    clearInterval(this.timer);
    return this.peak;
  }
}
