import { setTimeout as sleep } from "node:timers/promises";

export interface ChatRequest {
  endpoint: string;
  apiKey?: string;
  retries: number;
  retryDelay: number;
  timeout: number;
  /** For errors. */
  id: string;
  signal: AbortSignal;
}

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
      await sleep(failure.after ?? request.retryDelay * 2 ** tried, undefined, { signal: request.signal });
    }
  }
}

async function send(body: string, { endpoint, apiKey, timeout, signal }: ChatRequest): Promise<string> {
  const url = `${endpoint.replace(/\/+$/, "")}/chat/completions`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
    });
    text = await response.text();
  } catch (error) {
    if (signal.aborted) throw new RequestError("stopped, since another question failed", false);
    const { name, message, cause } = error as Error & { cause?: Error };
    throw new RequestError(
      name === "TimeoutError" ? `no reply in ${timeout} ms` : (cause?.message ?? message),
      true,
    );
  }
  const short = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  if (!response.ok) {
    const { status } = response;
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    const after = Number.isFinite(seconds) && seconds >= 0 ? 1000 * seconds : undefined;
    throw new RequestError(
      `${url} replied ${status}: ${short}`,
      status === 408 || status === 429 || status >= 500,
      after,
    );
  }
  const content = contentOf(text);
  if (content === undefined)
    throw new RequestError(`${url} replied without choices[0].message.content: ${short}`, false);
  return content;
}

function contentOf(text: string): string | undefined {
  try {
    const content: unknown = JSON.parse(text)?.choices?.[0]?.message?.content;
    return typeof content === "string" ? content : undefined;
  } catch {
    return undefined;
  }
}
