import { setTimeout as sleep } from "node:timers/promises";

export interface ChatRequest {
  /** Of the chat completions themselves. */
  url: URL;
  apiKey?: string;
  retries: number;
  retryDelay: number;
  timeout: number;
  maxTokens: number;
  /** For errors. */
  id: string;
  signal: AbortSignal;
}

/** A reply that is longer is none. */
const mostBytes = 2 ** 24;
/** A server that asks to wait longer has no answers today. */
const longestWait = 600_000;

/** A failure of a request, and whether another try may help. */
class RequestError extends Error {
  constructor(
    message: string,
    readonly again: boolean,
    /** In ms, where the server says so. */
    readonly after?: number,
  ) {
    super(message);
  }
}

/** Sends one request and returns the answer's text; tries again where that may help. */
export async function chatCompletion(body: string, request: ChatRequest): Promise<string> {
  for (let tried = 0; ; tried++) {
    try {
      return await send(body, request);
    } catch (error) {
      const failure = error as RequestError;
      if (!(failure.again && tried < request.retries)) {
        throw new Error(
          `askQuestions: question ${request.id}: ${failure.message} after ${tried + 1} of ${request.retries + 1} tries`,
          {
            cause: error,
          },
        );
      }
      await sleep(waitBefore(tried, request.retryDelay, failure.after), undefined, {
        signal: request.signal,
      });
    }
  }
}

/**
 * The wait before a try in ms: the delay, doubled with each try up to ten minutes, or longer where the server asks for it. A timer cannot hold
 * what doubling makes of it in time; a server that asks for no wait would be asked so often that all tries are gone at once.
 */
export function waitBefore(tried: number, retryDelay: number, asked = 0): number {
  return Math.max(asked, Math.min(retryDelay * 2 ** tried, Math.max(retryDelay, longestWait)));
}

async function send(body: string, { url, apiKey, timeout, maxTokens, signal }: ChatRequest): Promise<string> {
  // A query may hold a key.
  const shownURL = url.origin + url.pathname;
  let response: Response;
  let text: string;
  // Not AbortSignal.any with AbortSignal.timeout: Node 20 may collect such signals as garbage, and then they never abort.
  const controller = new AbortController();
  const stop = () => controller.abort(signal.reason);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const timer = setTimeout(() => controller.abort(new DOMException("", "TimeoutError")), timeout);
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      body,
      signal: controller.signal,
    });
    text = await readText(response);
  } catch (error) {
    if (signal.aborted) throw new RequestError("stopped, since another question failed", false);
    const { name, message, cause } = error as Error & { cause?: Error };
    throw new RequestError(
      name === "TimeoutError" ? `no reply in ${timeout} ms` : `${shownURL}: ${cause?.message ?? message}`,
      true,
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
  const short = shortened(text, apiKey);
  if (!response.ok) {
    const { status } = response;
    const after = waitOf(response.headers.get("retry-after"));
    const tooLong = after !== undefined && after > longestWait;
    throw new RequestError(
      `${shownURL} replied ${status}: ${short}${tooLong ? ` (and asks to wait ${Math.ceil(after / 1000)} s)` : ""}`,
      !tooLong && (status === 408 || status === 429 || status >= 500),
      after,
    );
  }
  let reply: unknown;
  try {
    reply = JSON.parse(text);
  } catch {
    // Something between the server and here cut it or put a page of its own in its place.
    throw new RequestError(`${shownURL} replied with text that is no JSON: ${short}`, true);
  }
  const { content, isCut } = contentOf(reply);
  // A model that reasons may spend all tokens before the answer begins.
  if (isCut && !content?.replace(/^\s*<think>[\s\S]*?(?:<\/think>|$)/, "").trim()) {
    throw new RequestError(`${shownURL} replied no text within ${maxTokens} tokens (maxTokens)`, false);
  }
  if (content === undefined)
    throw new RequestError(`${shownURL} replied without choices[0].message.content: ${short}`, false);
  return content;
}

/** The beginning of a reply on one line, as an error shows it: without the key, which some servers repeat. */
function shortened(text: string, apiKey = ""): string {
  const line = (apiKey ? text.replaceAll(apiKey, "***") : text).replace(/\s+/g, " ").trim();
  if (line === "") return "nothing";
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}

/** The body as text. @throws where it is too long */
async function readText(response: Response): Promise<string> {
  if (!response.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`the reply has more than ${mostBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** `Retry-After` (RFC 9110, section 10.2.3), seconds or a date, in ms; undefined where it is neither. */
function waitOf(header: string | null): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? 1000 * seconds : Date.parse(header) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

/** The answer's text, that of its parts or the model's refusal, and whether the model had to stop before its end. */
function contentOf(reply: unknown): { content?: string; isCut: boolean } {
  const { choices } = (reply ?? {}) as {
    choices?: { message?: { content?: unknown; refusal?: unknown }; finish_reason?: unknown }[];
  };
  const choice = choices?.[0];
  const content = choice?.message?.content ?? choice?.message?.refusal;
  const parts: unknown[] = Array.isArray(content) ? content : [content];
  const texts = parts.map((part) => (typeof part === "string" ? part : textOf(part)));
  const found = texts.filter((text) => text !== undefined);
  return {
    ...(found.length > 0 && { content: found.join("") }),
    isCut: choice?.finish_reason === "length",
  };
}

/** The text of a part `{ type: "text", text }`; undefined of others, such as a model's thoughts. */
function textOf(part: unknown): string | undefined {
  const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
  return type === "text" && typeof text === "string" ? text : undefined;
}
