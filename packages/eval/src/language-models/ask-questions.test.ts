import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { folderOf } from "../../test/temporary-folder.js";
import { askQuestions, type Question } from "./ask-questions.js";
import { waitBefore } from "./chat-completion.js";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

type Handler = (body: RequestBody, response: ServerResponse, request: IncomingMessage) => void;
interface RequestBody {
  model: string;
  temperature: number;
  max_tokens: number;
  messages: { content: { type: string; text?: string; image_url?: { url: string } }[] }[];
}

const promptOf = (body: RequestBody) => body.messages[0].content.at(-1)!.text!;
const reply = (response: ServerResponse, content: string) =>
  response
    .writeHead(200, { "content-type": "application/json" })
    .end(JSON.stringify({ choices: [{ message: { content } }] }));

/** A server on this machine. */
async function serve(handler: Handler) {
  const seen: RequestBody[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as RequestBody;
    seen.push(body);
    handler(body, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  const { port } = server.address() as AddressInfo;
  return { seen, options: { endpoint: `http://127.0.0.1:${port}/v1/`, model: "m", retryDelay: 1 } };
}

const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1, 2);
const questions: Question[] = Array.from({ length: 9 }, (_, i) => ({
  id: `q${i}`,
  prompt: `What is ${i}?`,
  images: [png],
}));

it("asks in OpenAI's form and keeps the order", async () => {
  const { seen, options } = await serve((body, response, request) => {
    expect(request.url).toBe("/v1/chat/completions");
    expect(request.headers.authorization).toBe("Bearer key");
    const delay = Number(/\d/.exec(promptOf(body))![0]) % 2 ? 1 : 15;
    setTimeout(() => reply(response, `about ${promptOf(body)}`), delay);
  });
  const answers = await askQuestions(questions, { ...options, apiKey: "key", maxTokens: 7 });
  expect(answers).toEqual(questions.map(({ prompt }) => `about ${prompt}`));
  expect(seen[0]).toMatchObject({ model: "m", temperature: 0, max_tokens: 7 });
  expect(seen[0].messages[0].content[0].image_url!.url).toBe(
    `data:image/png;base64,${Buffer.from(png).toString("base64")}`,
  );
});

it("never has more in flight than it may", async () => {
  let [now, most] = [0, 0];
  const { options } = await serve((_, response) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      now--;
      reply(response, "yes");
    }, 10);
  });
  await askQuestions(questions, { ...options, concurrency: 3 });
  expect(most).toBe(3);
});

it("tries again after a busy server, and not after a refusal", async () => {
  const tries = new Map<string, number>();
  const { options, seen } = await serve((body, response) => {
    const count = (tries.get(promptOf(body)) ?? 0) + 1;
    tries.set(promptOf(body), count);
    if (count === 1) response.writeHead(503).end("busy");
    else if (count === 2) response.writeHead(429, { "retry-after": "0" }).end();
    else reply(response, "yes");
  });
  expect(await askQuestions(questions.slice(0, 2), options)).toEqual(["yes", "yes"]);
  expect([...tries.values()]).toEqual([3, 3]);
  await expect(askQuestions([{ ...questions[5] }], { ...options, retries: 1 })).rejects.toThrow(
    /askQuestions: question q5: .*replied 429: .*after 2 of 2 tries/,
  );
  const refusing = await serve((_, response) => response.writeHead(400).end("no such model"));
  await expect(askQuestions(questions.slice(0, 1), refusing.options)).rejects.toThrow(
    /question q0: .*replied 400: no such model after 1 of 6 tries/,
  );
  expect(refusing.seen).toHaveLength(1);
  expect(seen.length).toBe(8);
});

it("goes on from its cache after a failure, and after half a line", async () => {
  const folder = folderOf({});
  const cache = join(folder, "answers.jsonl");
  let failing = true;
  const { options, seen } = await serve((body, response) => {
    if (failing && promptOf(body) === "What is 4?") response.writeHead(400).end("broken");
    else reply(response, `about ${promptOf(body)}`);
  });
  const ask = () => askQuestions(questions, { ...options, cache, concurrency: 1 });
  await expect(ask()).rejects.toThrow(/question q4/);
  expect(seen).toHaveLength(5);
  appendFileSync(cache, '{"key":"ab');
  failing = false;
  expect(await ask()).toEqual(questions.map(({ prompt }) => `about ${prompt}`));
  expect(seen).toHaveLength(5 + 5);
  await ask();
  expect(seen).toHaveLength(10);
  expect(readFileSync(cache, "utf8").trim().split("\n")).toHaveLength(9);
  await askQuestions(questions, { ...options, cache, model: "other" });
  expect(seen).toHaveLength(19);
  for (const line of ["[]", '{"key":"a","text":1}', '{"key":1,"text":"a"}']) {
    writeFileSync(cache, `${line}\n`);
    await expect(ask()).rejects.toThrow(/answers.jsonl: line 1 is no answer; delete the line or the file/);
  }
});

it("waits as long as a busy server asks, never less than its own delay", () => {
  expect([0, 1, 2, 3, 4].map((tried) => waitBefore(tried, 1000, 0))).toEqual([1000, 2000, 4000, 8000, 16000]);
  expect(waitBefore(0, 1000, 5000)).toBe(5000);
  expect(waitBefore(3, 1000, 5000)).toBe(8000);
  expect(waitBefore(12, 1000)).toBe(600_000);
});

it("takes a date for the time to wait, and does not wait for days", async () => {
  let asked = 0;
  const dated = await serve((_, response) => {
    const date = new Date(Date.now() - 5000).toUTCString();
    if (++asked < 3) response.writeHead(429, { "retry-after": date }).end();
    else reply(response, "yes");
  });
  const options = { ...dated.options, retryDelay: 1 };
  expect(await askQuestions(questions.slice(0, 1), options)).toEqual(["yes"]);
  const away = await serve((_, response) =>
    response.writeHead(503, { "retry-after": "86400" }).end("closed"),
  );
  await expect(askQuestions(questions.slice(0, 1), away.options)).rejects.toThrow(
    /replied 503: closed \(and asks to wait 86400 s\) after 1 of 6 tries/,
  );
});

it.each<[string, (response: ServerResponse) => void]>([
  [
    "is cut short",
    (response) =>
      response.writeHead(200, { "content-length": "500" }).write('{"choices"', () => response.destroy()),
  ],
  ["ends within its JSON", (response) => response.end('{"choices": [{"mess')],
  ["is a page of a proxy", (response) => response.end("<html>Bad gateway</html>")],
])("asks again where a reply %s", async (_, spoil) => {
  let asked = 0;
  const { options } = await serve((_, response) =>
    ++asked === 1 ? spoil(response) : reply(response, "yes"),
  );
  expect(await askQuestions(questions.slice(0, 1), options)).toEqual(["yes"]);
  expect(asked).toBe(2);
});

it("gives up where replies have no end or trickle", async () => {
  const endless = await serve((_, response) => {
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(2 ** 20)));
    };
    response.on("drain", more);
    more();
  });
  await expect(askQuestions(questions.slice(0, 1), { ...endless.options, retries: 0 })).rejects.toThrow(
    /question q0: .*: the reply has more than 16777216 bytes after 1 of 1 tries/,
  );
  const trickle = await serve((_, response) => {
    const timer = setInterval(() => response.write(" "), 2);
    response.on("close", () => clearInterval(timer));
  });
  await expect(
    askQuestions(questions.slice(0, 1), { ...trickle.options, retries: 0, timeout: 60 }),
  ).rejects.toThrow(/question q0: no reply in 60 ms after 1 of 1 tries/);
});

it.each([
  "[]",
  "null",
  '{"choices":[]}',
  '{"choices":[null]}',
  '{"choices":[{"message":{"content":null}}]}',
  '{"error":"x"}',
])("does not ask again after the reply %s", async (body) => {
  const { options, seen } = await serve((_, response) => response.end(body));
  await expect(askQuestions(questions.slice(0, 1), options)).rejects.toThrow(
    `replied without choices[0].message.content: ${body} after 1 of 6 tries`,
  );
  expect(seen).toHaveLength(1);
});

it("names a reply without an answer, a silent server, and none", async () => {
  const empty = await serve((_, response) => response.end("{}"));
  await expect(askQuestions(questions.slice(0, 1), empty.options)).rejects.toThrow(
    /replied without choices\[0\].message.content: \{\}/,
  );
  const silent = await serve(() => {});
  await expect(
    askQuestions(questions.slice(0, 1), { ...silent.options, timeout: 20, retries: 1 }),
  ).rejects.toThrow(/question q0: no reply in 20 ms after 2 of 2 tries/);
  await expect(
    askQuestions(questions.slice(0, 1), { endpoint: "http://127.0.0.1:9", model: "m", retries: 0 }),
  ).rejects.toThrow(/question q0: .* after 1 of 1 tries/);
});

it("refuses questions and options that are none", async () => {
  const options = { endpoint: "http://127.0.0.1:9", model: "m" };
  const refuse = (given: unknown[], extra: object, message: RegExp) =>
    expect(askQuestions(given as Question[], { ...options, ...extra })).rejects.toThrow(message);
  for (const question of [
    { id: "a" },
    { id: 1, prompt: "b", images: [] },
    { id: "a", prompt: 2, images: [] },
    3,
  ]) {
    await refuse([question], {}, /questions\[0\] must be \{ id, prompt, images \}/);
  }
  await refuse(
    [{ id: "a", prompt: "b", images: ["x.png"] }],
    {},
    /images\[0\] must be a JPEG, PNG, GIF or WebP file's content/,
  );
  await refuse([], { endpoint: "localhost" }, /endpoint must be an http URL, got "localhost"/);
  await refuse([], { model: "" }, /model must be a text that is not empty, got ""/);
  await refuse([], { concurrency: 0 }, /concurrency must be an integer, at least 1, got 0/);
  await refuse([], { temperature: 1 }, /unknown option "temperature"/);
  expect(await askQuestions([], options)).toEqual([]);
});

it("refuses a cache that cannot be written before it asks anything", async () => {
  const folder = folderOf({});
  const { options, seen } = await serve((_, response) => reply(response, "yes"));
  for (const [cache, message] of [
    [join(folder, "no-such-folder", "answers.jsonl"), /^askQuestions: cache .*answers.jsonl: ENOENT/],
    [folder, /^askQuestions: cache .*: EISDIR/],
  ] as const) {
    await expect(askQuestions(questions, { ...options, cache })).rejects.toThrow(message);
  }
  expect(seen).toHaveLength(0);
});

it("keeps apart the answers of servers whose models have one name", async () => {
  const cache = join(folderOf({}), "answers.jsonl");
  const [a, b] = [
    await serve((_, response) => reply(response, "A")),
    await serve((_, response) => reply(response, "B")),
  ];
  for (let run = 0; run < 2; run++) {
    expect(await askQuestions(questions.slice(0, 1), { ...a.options, cache })).toEqual(["A"]);
    expect(await askQuestions(questions.slice(0, 1), { ...b.options, cache })).toEqual(["B"]);
  }
  // With and without the slash at its end it is one server.
  const endpoint = a.options.endpoint.replace(/\/$/, "");
  await askQuestions(questions.slice(0, 1), { ...a.options, endpoint, cache });
  expect([a.seen.length, b.seen.length]).toEqual([1, 1]);
});

it("refuses a key that is no header and an endpoint that is no address, without the key and without a request", async () => {
  const { options, seen } = await serve((_, response) => reply(response, "yes"));
  for (const [apiKey, at] of [
    ["sk-secret\nabc", 9],
    ["sk-secret\u2019", 9],
    ["sk secret", 2],
  ] as const) {
    const error = await askQuestions(questions, { ...options, apiKey }).catch((reason: Error) => reason);
    expect(String(error)).toBe(
      `Error: askQuestions: apiKey must be visible ASCII, got another character at ${at}`,
    );
  }
  for (const endpoint of ["http://", "https://", "ftp://a/v1", "http://a b/"]) {
    await expect(askQuestions(questions, { ...options, endpoint })).rejects.toThrow(
      `askQuestions: endpoint must be an http URL, got "${endpoint}"`,
    );
  }
  const withKey = options.endpoint.replace("//", "//user:secret@");
  const error = await askQuestions(questions, { ...options, endpoint: withKey }).catch(
    (reason: Error) => reason,
  );
  expect(String(error)).toMatch(/endpoint must hold no user name or password/);
  expect(String(error)).not.toMatch(/secret/);
  expect(seen).toHaveLength(0);
});

it("takes no reply without text for an answer, and keeps none", async () => {
  const cache = join(folderOf({}), "answers.jsonl");
  let content: unknown = "";
  const { options, seen } = await serve((_, response) => {
    const choices = [{ message: { content }, finish_reason: "length" }];
    response.end(JSON.stringify({ choices }));
  });
  const ask = () => askQuestions(questions.slice(0, 1), { ...options, cache, maxTokens: 16 });
  for (content of ["", " \n", null, []]) {
    await expect(ask()).rejects.toThrow(
      /question q0: .*replied no text within 16 tokens \(maxTokens\) after 1 of 6 tries/,
    );
  }
  expect(readFileSync(cache, "utf8")).toBe("");
  content = "B, since the";
  expect(await ask()).toEqual(["B, since the"]);
  expect(seen).toHaveLength(5);
});

it("reads an answer in parts", async () => {
  let content: unknown;
  const { options } = await serve((_, response) =>
    response.end(JSON.stringify({ choices: [{ message: { content } }] })),
  );
  const ask = () => askQuestions(questions.slice(0, 1), options);
  content = [
    { type: "thinking", thinking: [] },
    { type: "text", text: "The answer" },
    { type: "text", text: " is B" },
  ];
  expect(await ask()).toEqual(["The answer is B"]);
  content = [{ type: "refusal", refusal: "no" }];
  await expect(ask()).rejects.toThrow(/replied without choices\[0\].message.content/);
});

it("sends the fields of request, leaves out those that are undefined, and asks again where they change", async () => {
  const cache = join(folderOf({}), "answers.jsonl");
  const { options, seen } = await serve((_, response) => reply(response, "yes"));
  const ask = (request?: Record<string, unknown>) =>
    askQuestions(questions.slice(0, 1), { ...options, cache, request });
  await ask();
  await ask({ max_tokens: undefined, temperature: undefined, max_completion_tokens: 900, seed: 7 });
  await ask({ seed: 8 });
  await ask({ seed: 8 });
  expect(seen).toHaveLength(3);
  const [plain, reasoning] = seen as unknown as Record<string, unknown>[];
  expect(Object.keys(plain).sort()).toEqual(["max_tokens", "messages", "model", "temperature"]);
  expect(Object.keys(reasoning).sort()).toEqual(["max_completion_tokens", "messages", "model", "seed"]);
  expect(reasoning).toMatchObject({ max_completion_tokens: 900, seed: 7 });
  for (const [request, message] of [
    [{ stream: true }, "askQuestions: request.stream is set by askQuestions itself"],
    [{ messages: [] }, "askQuestions: request.messages is set by askQuestions itself"],
    [3, "askQuestions: request must be an object of fields, got 3"],
    [[], "askQuestions: request must be an object of fields, got an array of 0"],
  ] as const) {
    await expect(ask(request as never)).rejects.toThrow(message);
  }
});

it("takes a refusal for the answer, and no thoughts that were cut", async () => {
  const thoughts = { message: { content: "<think>The dog" }, finish_reason: "length" };
  const refusal = { message: { content: null, refusal: "I cannot say." }, finish_reason: "stop" };
  const { options } = await serve((body, response) =>
    response.end(JSON.stringify({ choices: [promptOf(body) === "What is 0?" ? refusal : thoughts] })),
  );
  expect(await askQuestions(questions.slice(0, 1), options)).toEqual(["I cannot say."]);
  await expect(askQuestions(questions.slice(1, 2), { ...options, maxTokens: 16 })).rejects.toThrow(
    "replied no text within 16 tokens",
  );
});

it("shows a reply on one line, without the key that a server repeats", async () => {
  const { options } = await serve((body, response) => {
    const page = promptOf(body) === "What is 0?" ? "bad key sk-1\n\n  sk-1" : "";
    response.writeHead(401).end(page);
  });
  const ask = (i: number) => askQuestions([questions[i]], { ...options, apiKey: "sk-1" });
  await expect(ask(0)).rejects.toThrow(/completions replied 401: bad key \*\*\* \*\*\* after 1 of 6 tries$/);
  await expect(ask(1)).rejects.toThrow(/replied 401: nothing after 1 of 6 tries$/);
});
