/**
 * Has an error say which option it is about, and not which of our functions found it.
 *
 * @param option such as `--images`
 * @param place the path or id that the option names, for errors that do not name it
 */
export async function namingOption<T>(option: string, run: () => Promise<T>, place?: string): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const message = (error as Error).message.replace(/^[a-z]+[A-Z]\w*: /, "");
    if (message.startsWith(`${option}: `)) throw error;
    const where = place === undefined || message.includes(place) ? "" : `${place}: `;
    throw new Error(`${option}: ${where}${message}`, { cause: error });
  }
}
