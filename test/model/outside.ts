import { rideFile } from "../support/rideFile.ts";

/** Content of a file, identified by the mark in its bytes. */
export interface Content {
  mark: number;
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether it is an activity that can be imported. */
  good: boolean;
}

const files = new Map<number, Uint8Array<ArrayBuffer>>();

/**
 * The mark is stored in the average heart rate, and beyond its range in the duration, of each session. Files have one to
 * three sessions, so that an overwrite may leave activities out.
 */
export function goodContent(mark: number): Content {
  let bytes = files.get(mark);
  if (bytes === undefined) {
    bytes = rideFile({
      seconds: 2 + Math.floor(mark / 100),
      heartRate: 60 + (mark % 100),
      sessions: 1 + (mark % 3),
    });
    files.set(mark, bytes);
  }
  return { mark, bytes, good: true };
}

export function markOf(activity: { average_heart_rate: unknown; elapsed_time: unknown }): number {
  return (Number(activity.elapsed_time) - 2) * 100 + Number(activity.average_heart_rate) - 60;
}

/** Starts like a zip, so that a ping accepts it, and contains nothing. */
export function badContent(mark: number): Content {
  const bytes = Uint8Array.from(Buffer.from(`PK\u0003\u0004 ${mark} is no archive`));
  return { mark, bytes, good: false };
}

export const HOST_KINDS = [
  "once",
  "gone",
  "busy",
  "limited",
  "dropping",
  "page",
  "always",
  "expiring",
] as const;
export type HostKind = (typeof HOST_KINDS)[number];

/** Lifetime of the URL of an expiring host. */
const EXPIRES_AFTER_MS = 60 * 60_000;

/** A host of one file. Hosts that send it do so once, unless their kind says otherwise. */
export class Host {
  readonly kind: HostKind;
  readonly content: Content;
  readonly #expiresAt: number;
  #requests = 0;
  #given = 0;

  constructor(kind: HostKind, mark: number, nowMs: number) {
    this.kind = kind;
    this.#expiresAt = kind === "expiring" ? nowMs + EXPIRES_AFTER_MS : Number.POSITIVE_INFINITY;
    this.content = kind === "page" ? badContent(mark) : goodContent(mark);
  }

  /** Content that it would send now or later, unless it has sent it already. */
  get willGive(): boolean {
    return this.kind !== "gone";
  }

  answer(nowMs: number): { response: Response; gave: boolean } {
    this.#requests += 1;
    const first = this.#requests === 1;
    if (nowMs >= this.#expiresAt) return { response: new Response("expired", { status: 403 }), gave: false };
    if (this.kind === "gone") return { response: new Response("gone", { status: 404 }), gave: false };
    if (this.kind === "busy" && first) return { response: new Response(null, { status: 503 }), gave: false };
    if (this.kind === "limited" && first) {
      return { response: new Response(null, { status: 429, headers: { "Retry-After": "90" } }), gave: false };
    }
    if (this.kind === "dropping" && first) throw new TypeError("Network connection lost.");
    if (this.#given > 0 && this.kind !== "always") {
      return { response: new Response("used", { status: 410 }), gave: false };
    }
    this.#given += 1;
    const { bytes } = this.content;
    const headers = { "Content-Length": String(bytes.byteLength) };
    return { response: new Response(bytes, { headers }), gave: true };
  }
}
