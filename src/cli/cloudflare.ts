import { createWriteStream } from "node:fs";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { parsePrinted, RemoteFault, workerName, wranglerFor, type Environment } from "./wrangler.ts";

const TRIES = 6;
const FIRST_WAIT_MS = 1_000;
/** Cloudflare counts calls in windows of five minutes. */
const LONGEST_WAIT_MS = 300_000;
/** Longer than Cloudflare's limit for a D1 statement and than the download of the largest file. */
const TIMEOUT_MS = 120_000;

/** Cloudflare's code for an unknown key, object or Worker has this status. */
const NOT_FOUND = 404;

const credentialsSchema = z.union([
  z.object({ type: z.enum(["oauth", "api_token"]), token: z.string() }),
  z.object({ type: z.literal("api_key"), key: z.string(), email: z.string() }),
]);
const accountsSchema = z.array(z.object({ id: z.string(), name: z.string() }));
const bindingsSchema = z.object({ bindings: z.array(z.looseObject({ name: z.string(), type: z.string() })) });
const envelopeSchema = z.looseObject({
  result: z.unknown(),
  result_info: z.looseObject({ cursor: z.string().optional() }).nullish(),
});
const errorsSchema = z.looseObject({
  errors: z.tuple([z.looseObject({ code: z.number(), message: z.string() })], z.unknown()),
});

export type Binding = z.infer<typeof bindingsSchema>["bindings"][number];

export interface CallOptions {
  /** An object is sent as JSON, text as it is. */
  body?: object | string;
  headers?: Record<string, string>;
}

/** A call that may succeed when it is repeated. */
class TransientFault extends RemoteFault {
  readonly waitMs: number;

  constructor(message: string, waitMs: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

/**
 * Cloudflare's REST API for the account and the Worker of one environment. Repeats a call after a network fault, status 429
 * or 5xx, so each call must be safe to repeat. Methods throw a RemoteFault. A run of wrangler in place of a call would take two seconds.
 */
export class Cloudflare {
  readonly #environment: Environment;
  readonly #base = process.env["CLOUDFLARE_API_BASE_URL"] ?? "https://api.cloudflare.com/client/v4";
  readonly #firstWaitMs: number;
  #credentials: Promise<Record<string, string>> | null = null;
  #account: Promise<string> | null = null;
  #bindings: Promise<Binding[]> | null = null;

  constructor(environment: Environment, firstWaitMs = FIRST_WAIT_MS) {
    this.#environment = environment;
    this.#firstWaitMs = firstWaitMs;
  }

  /** Returns the `result` of a call. `path` is below the account, such as `/d1/database`. */
  async result(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    return (await this.page(method, path, options)).result;
  }

  /** Returns the `result` of a call and the cursor of the next page. Null after the last page. */
  async page(
    method: string,
    path: string,
    options: CallOptions = {},
  ): Promise<{ result: unknown; cursor: string | null }> {
    const text = (await this.text(method, path, options)) ?? "";
    const parsed = envelopeSchema.safeParse(jsonOf(text));
    if (!parsed.success)
      throw new RemoteFault(`Cloudflare's API returned an unknown answer to ${method} ${path}.`);
    const { result, result_info } = parsed.data;
    const cursor = result_info?.cursor;
    return { result, cursor: cursor === undefined || cursor === "" ? null : cursor };
  }

  /** Returns the text of a response. Null for status 404 of a GET. */
  async text(method: string, path: string, options: CallOptions = {}): Promise<string | null> {
    return this.#call(method, await this.#ofAccount(path), options, async (response) => response.text());
  }

  /** Streams a response to a file that only this user can read. Returns false for status 404. */
  async download(path: string, file: string, headers: Record<string, string> = {}): Promise<boolean> {
    const saved = await this.#call("GET", await this.#ofAccount(path), { headers }, async ({ body }) => {
      const output = createWriteStream(file, { mode: 0o600 });
      await pipeline(body ?? [], output);
      return true;
    });
    return saved ?? false;
  }

  /** Returns the bindings of the deployed Worker with a type, such as `d1`. */
  async bindings(type: string): Promise<Binding[]> {
    this.#bindings ??= this.#readBindings();
    return (await this.#bindings).filter((binding) => binding.type === type);
  }

  /** Returns a binding of the deployed Worker. */
  async binding(type: string, name: string): Promise<Binding> {
    const found = (await this.bindings(type)).find((binding) => binding.name === name);
    if (found === undefined)
      throw new RemoteFault(`The deployed Worker has no binding ${name}. Deploy it again.`);
    return found;
  }

  async #readBindings(): Promise<Binding[]> {
    const settings = await this.result("GET", `/workers/scripts/${workerName(this.#environment)}/settings`);
    const parsed = bindingsSchema.safeParse(settings);
    if (!parsed.success)
      throw new RemoteFault("Cloudflare's API returned no bindings of the Worker. Deploy it first.");
    return parsed.data.bindings;
  }

  async #ofAccount(path: string): Promise<string> {
    this.#account ??= this.#readAccount();
    return `/accounts/${await this.#account}${path}`;
  }

  async #readAccount(): Promise<string> {
    const set = process.env["CLOUDFLARE_ACCOUNT_ID"];
    if (set !== undefined && set !== "") return set;
    const text = await this.#call("GET", "/accounts", {}, async (response) => response.text());
    const accounts = accountsSchema.parse(envelopeSchema.parse(jsonOf(text ?? "")).result);
    const [account, ...others] = accounts;
    if (account === undefined) throw new RemoteFault("Your login has no Cloudflare account.");
    if (others.length === 0) return account.id;
    const names = accounts.map(({ id, name }) => `${id} (${name})`).join(", ");
    throw new RemoteFault(`Set CLOUDFLARE_ACCOUNT_ID to one of your accounts: ${names}.`);
  }

  /** Calls the API, and passes a successful response to `use`. */
  async #call<T>(
    method: string,
    path: string,
    options: CallOptions,
    use: (response: Response) => Promise<T>,
  ): Promise<T | null> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#callOnce(method, path, options, use);
      } catch (fault) {
        if (!(fault instanceof TransientFault) || tries === TRIES) throw fault;
        await delay(Math.min(LONGEST_WAIT_MS, Math.max(fault.waitMs, this.#firstWaitMs * 2 ** (tries - 1))));
      }
    }
  }

  async #callOnce<T>(
    method: string,
    path: string,
    { body, headers }: CallOptions,
    use: (response: Response) => Promise<T>,
  ): Promise<T | null> {
    this.#credentials ??= this.#readCredentials();
    const credentials = await this.#credentials;
    const isJson = typeof body === "object";
    try {
      const response = await fetch(this.#base + path, {
        method,
        headers: { ...headers, ...credentials, ...(isJson ? { "Content-Type": "application/json" } : {}) },
        body: isJson ? JSON.stringify(body) : (body ?? null),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.ok) return await use(response);
      const reason = reasonOf(await response.text(), response.status);
      if (response.status === NOT_FOUND && method === "GET" && !path.endsWith("/settings")) return null;
      // The token of a login ends after an hour. Wrangler then gets another one.
      if (response.status === 401) this.#credentials = null;
      if (response.status === 401 || response.status === 429 || response.status >= 500) {
        throw new TransientFault(reason, 1_000 * (Number(response.headers.get("retry-after")) || 0));
      }
      throw new RemoteFault(reason);
    } catch (fault) {
      if (!isNetworkFault(fault)) throw fault;
      throw new TransientFault("Cloudflare's API does not respond.", 0);
    }
  }

  /** Returns the headers of CLOUDFLARE_API_TOKEN, or of wrangler's login. */
  async #readCredentials(): Promise<Record<string, string>> {
    const token = process.env["CLOUDFLARE_API_TOKEN"];
    if (token !== undefined && token !== "") return { Authorization: `Bearer ${token}` };
    const printed = await wranglerFor(this.#environment)(["auth", "token", "--json"]);
    const read = parsePrinted(credentialsSchema, printed);
    return read.type === "api_key"
      ? { "X-Auth-Key": read.key, "X-Auth-Email": read.email }
      : { Authorization: `Bearer ${read.token}` };
  }
}

const opened = new Map<Environment, Cloudflare>();

/** Returns the API for an environment. All stores of a command share its credentials. */
export function cloudflareFor(environment: Environment): Cloudflare {
  const cloudflare = opened.get(environment) ?? new Cloudflare(environment);
  opened.set(environment, cloudflare);
  return cloudflare;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function reasonOf(text: string, status: number): string {
  const parsed = errorsSchema.safeParse(jsonOf(text));
  if (!parsed.success) return `Cloudflare's API responded with status ${status}.`;
  const [{ code, message }] = parsed.data.errors;
  return `${message} [code: ${code}]`;
}

/** Returns whether `fetch` or a stream of its body failed, or the time was up. A failed write to the disk is another fault. */
function isNetworkFault(fault: unknown): boolean {
  if (fault instanceof TypeError) return fault.message === "fetch failed" || fault.message === "terminated";
  return fault instanceof DOMException && fault.name === "TimeoutError";
}
