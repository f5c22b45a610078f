import { nodeRequire } from "../../shared/node-require.js";
import { isCommit, isInside } from "./cache.js";
import { causeOf, type RemoteFile } from "./download.js";

/** The hub's description of a model at one commit. */
export interface Repository {
  commit: string;
  /** Every file's path and size. */
  files: { path: string; size: number }[];
}

/** The hub's answer was an error, or none came. */
export class HubError extends Error {
  constructor(
    message: string,
    /** The answer's status, or undefined where none came. */
    readonly status?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A listing of more files is no model's. */
const MOST_FILES = 100_000;
/** Milliseconds for an answer without a file in it. */
const ANSWER_TIMEOUT = 30_000;

/** Loaded when it is first needed, and so that bundlers for browsers do not find it. */
function hubClient(): typeof import("@huggingface/hub") {
  return nodeRequire()("@huggingface/hub");
}

/** Asks the hub which commit a revision is, and which files it has. */
export async function openRepository(
  endpoint: string,
  id: string,
  revision: string,
  token: string | undefined,
): Promise<Repository> {
  const { listFiles, modelInfo } = hubClient();
  // Ours adds the token: the client's own check takes none but huggingface.co's.
  const ask: typeof fetch = (input, init) =>
    fetch(input, {
      ...init,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
      headers: {
        ...(init?.headers as Record<string, string>),
        ...(token && { Authorization: `Bearer ${token}` }),
      },
    });
  try {
    const { sha } = await modelInfo({
      name: id,
      revision,
      additionalFields: ["sha"],
      hubUrl: endpoint,
      fetch: ask,
    });
    if (!isCommit(sha))
      throw new Error(`expected a commit of 40 hexadecimal digits, got ${JSON.stringify(sha)}`);
    const files: Repository["files"] = [];
    const listing = listFiles({ repo: id, recursive: true, revision: sha, hubUrl: endpoint, fetch: ask });
    for await (const { type, path, size } of listing) {
      if (type !== "file") continue;
      if (!isInside(path)) throw new Error(`refusing the path ${JSON.stringify(path)} in its listing`);
      files.push({ path, size });
      if (files.length > MOST_FILES) throw new Error(`more than ${MOST_FILES} files`);
    }
    return { commit: sha, files };
  } catch (error) {
    const status = (error as { statusCode?: number }).statusCode;
    throw new HubError(
      status === undefined ? `${endpoint}: ${causeOf(error)}` : statusText(endpoint, status),
      status,
      { cause: error },
    );
  }
}

function statusText(endpoint: string, status: number): string {
  if (status === 404) return `${endpoint} answers 404: no such model or revision`;
  if (status === 401 || status === 403) {
    return `${endpoint} answers ${status}: no such model, or one that needs a token (HF_TOKEN) or its terms accepted`;
  }
  return `${endpoint} answers ${status}`;
}

/** Asks the hub where a file's bytes are and what they must be. */
export async function remoteFile(
  endpoint: string,
  id: string,
  commit: string,
  path: string,
  token: string | undefined,
): Promise<RemoteFile> {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  let url = `${endpoint}/${id}/resolve/${commit}/${encoded}`;
  for (let redirects = 0; redirects < 5; redirects++) {
    const withToken = new URL(url).origin === new URL(endpoint).origin;
    const response = await fetch(url, {
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
      headers: {
        "Accept-Encoding": "identity",
        ...(token && withToken && { Authorization: `Bearer ${token}` }),
      },
    }).catch((error: unknown) => {
      throw new HubError(`${path}: ${endpoint}: ${causeOf(error)}`, undefined, { cause: error });
    });
    const { status, headers } = response;
    const location = headers.get("location");
    if (status >= 300 && status < 400 && location && !headers.has("x-linked-etag")) {
      // The repository has another name now.
      url = new URL(location, url).href;
      continue;
    }
    if (status >= 400) throw new HubError(`${path}: ${statusText(endpoint, status)}`, status);
    const etag = (headers.get("x-linked-etag") ?? headers.get("etag") ?? "")
      .replace(/^W\//, "")
      .replace(/^"|"$/g, "");
    const size = Number(headers.get("x-linked-size") ?? headers.get("content-length") ?? Number.NaN);
    if (!/^[\w-]{1,128}$/.test(etag) || !Number.isSafeInteger(size) || size < 0) {
      throw new HubError(`${path}: ${endpoint} tells no size and etag`, status);
    }
    const from = location ? new URL(location, url).href : url;
    return { url: from, etag, size, withToken: new URL(from).origin === new URL(endpoint).origin };
  }
  throw new HubError(`${path}: ${endpoint} redirects in circles`);
}
