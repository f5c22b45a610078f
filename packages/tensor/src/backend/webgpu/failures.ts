/** Marks a driver's message as the driver's. */
const driverSays = (message: string) => `the driver says "${message.trim()}"`;

/** Says that a tensor's values were lost with the device. */
export class LostTensor extends Error {}

/**
 * Collects the errors that a device reports late, its loss included. The first one stays, since tensors that were made after an error
 * cannot be trusted.
 */
export class Failures {
  /** The first failure, in words, or null. */
  first: string | null = null;
  private readonly pending = new Set<Promise<void>>();

  constructor(device: GPUDevice) {
    device.lost.then(({ reason, message }) =>
      this.fail(`the device was lost (${reason})${message ? `: ${driverSays(message)}` : ""}`),
    );
  }

  fail(what: string): void {
    this.first ??= what;
  }

  /**
   * Waits for a report without blocking.
   *
   * @param what names the action that fails if the report is an error.
   * @param memory says how much memory was in use, for an error that says that it ran out.
   */
  watch(report: Promise<GPUError | null>, what: string, memory: string): void {
    const pending = report
      // A lost device reports nothing but its loss.
      .catch(() => null)
      .then((error) => {
        this.pending.delete(pending);
        if (!error) return;
        const isOutOfMemory = error instanceof GPUOutOfMemoryError;
        this.fail(
          `${what} failed: ${isOutOfMemory ? `the device is out of memory; ${memory}` : driverSays(error.message)}`,
        );
      });
    this.pending.add(pending);
  }

  /** Waits for all reports that are under way. */
  async settle(): Promise<void> {
    await Promise.all(this.pending);
  }

  /** Throws the first failure, if there is one; `subject` names the action that cannot go on. */
  throwAt(subject: () => string): void {
    if (this.first === null) return;
    throw new Error(
      `dcr-webgpu: ${subject()} cannot go on: ${this.first}; \`await initialize()\` opens a new device`,
    );
  }
}
