/** Runs a function. If it fails, prints the error with its cause and ends the process. Node itself would print a line of the bundle. */
export async function inOneLine<T>(f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    const { message, cause } = error as Error;
    console.error(cause instanceof Error ? `${message}: ${cause.message}` : message);
    process.exit(1);
  }
}
