import { createHash } from "node:crypto";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { openAnswerCache } from "./answer-cache.js";
import { chatCompletion } from "./chat-completion.js";
import { imageURL } from "./image-url.js";

/** A question about images. */
export interface Question {
  /** For errors. */
  id: string;
  prompt: string;
  /** The contents of JPEG, PNG, WebP or GIF files, or `data:` URLs. */
  images: readonly (Uint8Array | string)[];
}

export interface AskOptions {
  /** The base URL of an OpenAI-compatible interface, such as `"http://localhost:8000/v1"` of vLLM or llama.cpp. */
  endpoint: string;
  /** The model's name there. */
  model: string;
  /** Sent as a bearer token; visible ASCII. */
  apiKey?: string;
  /** Questions in flight at a time. Default 4. */
  concurrency?: number;
  /** How often a request is tried again after a busy or failing server (408, 429, 5xx, a cut reply, no connection). Default 5. */
  retries?: number;
  /** Before the first retry, in ms, doubled each time up to ten minutes; longer where `Retry-After` asks for it, within ten minutes. Default 1000. */
  retryDelay?: number;
  /** Of a request, in ms. Default 120,000. */
  timeout?: number;
  /** Length of an answer at most. Default 128. */
  maxTokens?: number;
  /**
   * Other fields of the request's body, in place of ours of the same name; one that is undefined is left out. OpenAI's models that reason
   * take `{ max_completion_tokens: 4096, max_tokens: undefined, temperature: undefined }`. Default: none.
   */
  request?: Readonly<Record<string, unknown>>;
  /**
   * A file that keeps answers. The same request to the same endpoint is not sent again, so that a run can go on after a stop.
   */
  cache?: string;
}

/**
 * Asks a vision-language model, at temperature 0 unless `request` says otherwise.
 *
 * @returns the answer to each question, in their order
 * @throws naming the question and the server's reply, where a request fails for good or has no text within `maxTokens`; answers that came are in the cache
 *
 * @example
 * const answers = await askQuestions(questions, { endpoint: "http://localhost:8000/v1", model: "llava", cache: "answers.jsonl" });
 * const chosen = answers.map((answer) => choiceAnswer(answer, ["A", "B"]));
 */
export async function askQuestions(questions: readonly Question[], options: AskOptions): Promise<string[]> {
  const { concurrency, cache: path, ...request } = checkAsk(options);
  if (!Array.isArray(questions))
    throw new TypeError(`askQuestions: questions must be a list, got ${describe(questions)}`);
  const body = (i: number) => bodyOf(`askQuestions: questions[${i}]`, questions[i], request);
  // All are checked before any is asked; bodies are not kept, since they hold the images.
  for (const i of questions.keys()) body(i);
  const cache = path === undefined ? undefined : await openAnswerCache(path);
  const answers = new Array<string>(questions.length);
  const stop = new AbortController();
  let next = 0;
  const worker = async () => {
    while (next < questions.length && !stop.signal.aborted) {
      const i = next++;
      const asked = body(i);
      // Servers may have different models of one name.
      const key = createHash("sha256").update(`${request.url}\n${asked}`).digest("hex");
      const known = cache?.get(key);
      answers[i] =
        known ?? (await chatCompletion(asked, { ...request, id: questions[i].id, signal: stop.signal }));
      if (known === undefined) await cache?.add(key, answers[i]);
    }
  };
  const workers = Array.from({ length: Math.min(concurrency, questions.length) }, worker);
  try {
    await Promise.all(workers);
  } finally {
    stop.abort();
    await Promise.allSettled(workers);
  }
  return answers;
}

/** The longest delay of a timer, in ms: a longer one ends at once. */
const longestDelay = 2 ** 31 - 1;

function checkAsk(options: AskOptions) {
  const checked = checkOptions("askQuestions", options, {
    endpoint: true,
    model: true,
    apiKey: true,
    concurrency: true,
    retries: true,
    retryDelay: true,
    timeout: true,
    maxTokens: true,
    request: true,
    cache: true,
  });
  const { endpoint, model, apiKey, cache } = checked;
  for (const [name, value] of Object.entries({ endpoint, model, apiKey, cache })) {
    const optional = name === "apiKey" || name === "cache";
    if ((typeof value !== "string" || value === "") && !(optional && value === undefined)) {
      throw new TypeError(`askQuestions: ${name} must be a text that is not empty, got ${describe(value)}`);
    }
  }
  const url = completionsOf(endpoint);
  // fetch would show the key in its error.
  const hidden = /[^\x21-\x7e]/.exec(apiKey ?? "");
  if (hidden)
    throw new Error(`askQuestions: apiKey must be visible ASCII, got another character at ${hidden.index}`);
  const { concurrency = 4, retries = 5, retryDelay = 1000, timeout = 120_000, maxTokens = 128 } = checked;
  checkNumber("askQuestions: concurrency", concurrency, { min: 1, integer: true });
  checkNumber("askQuestions: retries", retries, { min: 0, integer: true });
  checkNumber("askQuestions: retryDelay", retryDelay, { min: 0, max: longestDelay });
  checkNumber("askQuestions: timeout", timeout, { above: 0, max: longestDelay });
  checkNumber("askQuestions: maxTokens", maxTokens, { min: 1, integer: true });
  const fields = checkFields(checked.request ?? {});
  return { url, model, apiKey, cache, concurrency, retries, retryDelay, timeout, maxTokens, fields };
}

/** The address of an interface's chat completions. */
function completionsOf(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Error(`askQuestions: endpoint must be an http URL, got ${describe(endpoint)}`);
  if (url.username || url.password)
    throw new Error("askQuestions: endpoint must hold no user name or password; give apiKey");
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/chat/completions`;
  return url;
}

/** Fields that would change the meaning of questions or the form of replies. */
const ownFields = ["model", "messages", "stream", "n"];

function checkFields(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (typeof fields !== "object" || Array.isArray(fields)) {
    throw new TypeError(`askQuestions: request must be an object of fields, got ${describe(fields)}`);
  }
  const own = ownFields.find((name) => name in fields);
  if (own !== undefined) throw new Error(`askQuestions: request.${own} is set by askQuestions itself`);
  return fields;
}

function bodyOf(
  name: string,
  question: Question,
  {
    model,
    maxTokens,
    fields,
  }: { model: string; maxTokens: number; fields: Readonly<Record<string, unknown>> },
): string {
  const { id, prompt, images } = question ?? {};
  if (typeof id !== "string" || typeof prompt !== "string" || !Array.isArray(images)) {
    throw new TypeError(`${name} must be { id, prompt, images }, got ${describe(question)}`);
  }
  const pictures = images.map((image, i) => ({
    type: "image_url",
    image_url: { url: imageURL(`${name}.images[${i}]`, image) },
  }));
  const content = [...pictures, { type: "text", text: prompt }];
  return JSON.stringify({
    model,
    temperature: 0,
    max_tokens: maxTokens,
    ...fields,
    messages: [{ role: "user", content }],
  });
}
