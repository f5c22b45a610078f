/** A repository of the test server. */
export interface TestRepository {
  commit: string;
  /** The token without which it is gated. */
  token?: string;
  files: Record<string, string | Uint8Array>;
}

/** Faults of the next answer that carries a large file. */
export interface HubFaults {
  /** Cuts the connection after so many bytes. */
  cutAfter?: number;
  /** Cuts every such answer. */
  always?: boolean;
  /** Sends the whole file where a range was asked for. */
  ignoreRange?: boolean;
  /** Changes a byte. */
  damage?: boolean;
  /** Answers with this status instead of the file. */
  status?: number;
}

export declare const models: Record<string, TestRepository>;

export declare function startHub(repositories?: Record<string, TestRepository>): Promise<{
  endpoint: string;
  /** Each a method and a path, and the range that was asked for. */
  requests: string[];
  faults: HubFaults;
  close(): Promise<void>;
}>;
