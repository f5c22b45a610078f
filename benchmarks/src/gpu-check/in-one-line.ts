/** Runs what the process cannot go on without: an error is printed with its cause and ends it. Node would print the whole bundle's line. */
export async function inOneLine<T>(f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    const { message, cause } = error as Error;
    console.error(cause instanceof Error ? `${message}: ${cause.message}` : message);
    process.exit(1);
  }
}
