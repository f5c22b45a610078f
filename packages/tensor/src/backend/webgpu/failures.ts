/** A driver's own words, marked as such. */
const driverSays = (message: string) => `the driver says "${message.trim()}"`;

/** A tensor whose values went with the device they lay on. */
export class LostTensor extends Error {}

/**
 * What a device reports late: its first error or its loss, and the reports that are still to come. Since tensors made
 * after an error cannot be trusted, the first one stays.
 */
export class Failures {
  /** What stopped the device's backend, in words, or null. */
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
   * Waits for a report without blocking; `what` says what fails where it is an error. Where it is that memory ran out, `memory` says
   * how much was in use.
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

  /** Waits for the reports of everything done so far. */
  async settle(): Promise<void> {
    await Promise.all(this.pending);
  }

  /** Throws the first failure, if there is one, at what cannot go on because of it. */
  throwAt(subject: () => string): void {
    if (this.first === null) return;
    throw new Error(
      `dcr-webgpu: ${subject()} cannot go on: ${this.first}; \`await initialize()\` opens a new device`,
    );
  }
}
