import type { Refusal } from "./commandLine.ts";
import type { OpenDatabases } from "./databases.ts";
import type { Registry } from "./registries.ts";

/** A parsed command line. Undefined: the flag is absent. Null or empty: the flag is `none`. */
export interface Request {
  partnerId: string;
  /** The second argument of revoke-key. */
  keyId: string;
  remote: boolean;
  /** The binding of the database of a new partner. Undefined: the database with the most room. */
  database: string | undefined;
  name: string | null | undefined;
  eventUrl: string | null | undefined;
  callbackHosts: string[] | undefined;
  sourceOrder: string[] | undefined;
  prefetchHeld: boolean | undefined;
  requestsPerMinute: number | null | undefined;
  filesPerMinute: number | null | undefined;
  quotaFiles: number | null | undefined;
  quotaBytes: number | null | undefined;
  overlapMs: number;
}

/** Output of a command: `json` with --json, else `text`. */
export interface CommandOutput {
  ok: true;
  json: unknown;
  text: string;
}

/** Stores of the service that a command works on. */
export interface Stores {
  registry: Registry;
  /** Opens the databases of a service that has run. The caller closes them. */
  databases: () => Promise<OpenDatabases | Refusal>;
  /** The same, also before the first start of a local service. They may have no tables. */
  emptyDatabases: () => Promise<OpenDatabases | Refusal>;
}
