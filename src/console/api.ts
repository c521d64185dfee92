import type { Problem as ProblemDocument } from "../http/problemSchema.ts";
import type { Session } from "./session.ts";

/** Fields of a problem document that the console shows. Also describes a request without a response. */
export type Problem = Pick<ProblemDocument, "code" | "title" | "detail"> &
  Partial<Pick<ProblemDocument, "request_id" | "errors">>;

export type Result<T> = { ok: true; value: T } | { ok: false; problem: Problem };

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

const NO_RESPONSE: Problem = {
  code: "no_response",
  title: "The service did not respond",
  detail: "Check your connection, then try again.",
};

const INSECURE: Problem = {
  code: "https_required",
  title: "This page was loaded over http",
  detail: "Your key was not sent. Open this page with https:// instead of http://.",
};

export class Api {
  readonly #session: Session;
  readonly #signedOut: () => void;
  /** Requests or files left of each limit per minute, by the newest `RateLimit` header that names it. */
  readonly #left = new Map<string, number>();

  /** Calls `signedOut` when the service rejects the key. */
  constructor(session: Session, signedOut: () => void) {
    this.#session = session;
    this.#signedOut = signedOut;
  }

  get partnerId(): string {
    return this.#session.partnerId;
  }

  get key(): string {
    return this.#session.key;
  }

  /** Returns how much of a limit per minute is used, as the newest response says. Null when none said so. */
  usedOf(policy: "read" | "intake" | "files", limit: number): number | null {
    const left = this.#left.get(policy);
    return left === undefined ? null : limit - left;
  }

  async get<T>(path: string): Promise<Result<T>> {
    return this.#send<T>("GET", path);
  }

  /** Returns the whole body as text. */
  async getText(path: string): Promise<Result<string>> {
    return this.#send("GET", path, undefined, async (response) => response.text());
  }

  /** Returns the whole body as bytes, with the file name that the service gives them. */
  async getFile(path: string): Promise<Result<{ bytes: Blob; name: string | null }>> {
    return this.#send("GET", path, undefined, async (response) => ({
      bytes: await response.blob(),
      name: /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? null,
    }));
  }

  async post<T>(path: string, body?: Blob): Promise<Result<T>> {
    return this.#send<T>("POST", path, body);
  }

  async patch<T>(path: string, changes: object): Promise<Result<T>> {
    return this.#send<T>("PATCH", path, new Blob([JSON.stringify(changes)], { type: "application/json" }));
  }

  async delete<T>(path: string): Promise<Result<T>> {
    return this.#send<T>("DELETE", path);
  }

  /** Returns the response as `T`, unchecked: this page is compiled against the types of the service that serves it. */
  async #send<T>(
    method: string,
    path: string,
    body?: Blob,
    read: (response: Response) => Promise<T> = async (response) => response.json(),
  ): Promise<Result<T>> {
    if (!isSecureContext) return { ok: false, problem: INSECURE };
    try {
      const response = await fetch(path, {
        method,
        headers: {
          Authorization: `Bearer ${this.#session.key}`,
          "Partner-Id": this.#session.partnerId,
          ...(body === undefined ? {} : { "Content-Type": body.type || "application/octet-stream" }),
        },
        ...(body === undefined ? {} : { body }),
      });
      const limits = response.headers.get("RateLimit") ?? "";
      for (const [, policy = "", left] of limits.matchAll(/"(\w+)";r=(\d+)/g)) {
        this.#left.set(policy, Number(left));
      }
      if (response.status === 401) this.#signedOut();
      if (response.ok) return { ok: true, value: await read(response) };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every error is a problem document
      return { ok: false, problem: (await response.json()) as Problem };
    } catch {
      return { ok: false, problem: NO_RESPONSE };
    }
  }
}
