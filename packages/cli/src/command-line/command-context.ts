/** How a command is run. */
export interface CommandContext {
  /** The folder that relative paths start from. */
  base: string;
  /** How messages call `dcr enhance`. */
  invocation: string;
}
