import { messageOf } from "../shared/message-of.js";

/** An error's text without the name of the function that threw it, such as `readBatches: `. */
export const withoutFunctionName = (message: string): string => message.replace(/^[a-z]+[A-Z]\w*: /, "");

/**
 * Makes an error name the option, not our function.
 *
 * @param option such as `--images`
 * @param place the path or id that the option names, for errors that do not name it
 */
export async function namingOption<T>(option: string, run: () => Promise<T>, place?: string): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const message = withoutFunctionName(messageOf(error));
    if (message.startsWith(`${option}: `) && error instanceof Error) throw error;
    const where = place === undefined || message.includes(place) ? "" : `${place}: `;
    throw new Error(`${option}: ${where}${message}`, { cause: error });
  }
}
