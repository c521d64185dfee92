import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { systemCode } from "./commandLine.ts";

/** Time after which a log that could not be written is opened again. */
const RETRY_MS = 10_000;

/** The log of the local service. A full disk does not end the service: lines are lost until the log can be written. */
export class ServiceLog {
  readonly #file: string;
  readonly #warn: (line: string) => void;
  #descriptor: number | null = null;
  #retryAt = 0;

  /** `warn` gets one line when the log can no longer be written. */
  constructor(file: string, warn: (line: string) => void) {
    this.#file = file;
    this.#warn = warn;
  }

  write(line: string, nowMs = Date.now()): void {
    if (nowMs < this.#retryAt) return;
    try {
      this.#descriptor ??= openSync(this.#file, "a");
      writeWhole(this.#descriptor, Buffer.from(`${line}\n`));
      this.#retryAt = 0;
    } catch (fault) {
      if (this.#retryAt === 0) this.#warn(logProblem(this.#file, systemCode(fault)));
      this.close();
      this.#retryAt = nowMs + RETRY_MS;
    }
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

/** Writes all bytes or none: a full disk may accept a part of a line, which would make the log unreadable for jq. */
function writeWhole(descriptor: number, bytes: Buffer): void {
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(descriptor, bytes, written);
  } catch (fault) {
    if (written > 0) ftruncateSync(descriptor, fstatSync(descriptor).size - written);
    throw fault;
  }
}

function logProblem(file: string, code: string | null): string {
  return code === "ENOSPC"
    ? `The disk is full: the service cannot write its log ${file}, and its stores fail. Free some space; the service continues by itself.`
    : `Cannot write the log ${file} (${code}).`;
}
