import { constants } from "node:os";

/** The user, or the system, ended the run before it was done. What it has is saved. */
export class RunStopped extends Error {
  constructor(
    /** The signal that asked for it; SIGPIPE where nobody reads the output any more. */
    readonly signal: NodeJS.Signals,
    message = `stopped by ${signal}`,
  ) {
    super(message);
  }

  /** The exit code that shells give to a program that a signal ended. */
  get exitCode(): number {
    // Windows has no SIGPIPE.
    return 128 + (constants.signals[this.signal] ?? 13);
  }
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A terminal sends Ctrl-C to every process of the group and npm sends it on: what comes so soon is the same one. */
const sameMs = 300;

/**
 * Calls `stop` on the first Ctrl-C, SIGTERM, SIGHUP or when the output's reader is gone, and `end` on the next.
 *
 * @returns a function that stops watching
 */
export function watchStopSignals(handlers: {
  stop: (signal: NodeJS.Signals) => void;
  end: (signal: NodeJS.Signals) => void;
}): () => void {
  let first: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (first === undefined) {
      first = now;
      handlers.stop(signal);
    } else if (now - first > sameMs) handlers.end(signal);
  };
  const onOutputError = (error: NodeJS.ErrnoException) => {
    // The command line reports every other fault of the output.
    if (error.code !== "EPIPE" && error.code !== "EIO") return;
    // A closed pipe reports every write; it is no second wish.
    if (first !== undefined) return;
    first = performance.now();
    handlers.stop("SIGPIPE");
  };
  for (const signal of signals) process.on(signal, onSignal);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", onOutputError);
  return () => {
    // After a stop the process is about to end: without the listener a second Ctrl-C would kill it before it has cleaned up.
    if (first === undefined) for (const signal of signals) process.off(signal, onSignal);
    // The listeners on the output stay: what is printed later, to a reader that has gone, must not end the process.
  };
}
