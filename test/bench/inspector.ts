import { z } from "zod";
import { WORKER_NAME } from "./workerd.ts";

const answerSchema = z.object({
  id: z.number().optional(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).optional(),
});

/** A connection to workerd's inspector, which speaks the Chrome DevTools protocol. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error } = answerSchema.parse(JSON.parse(String(data)));
      const waiting = this.#waiting.get(id ?? 0);
      this.#waiting.delete(id ?? 0);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`The inspector answers: ${error.message}`));
    });
  }

  static async connect(address: URL | null): Promise<Inspector> {
    if (address === null) throw new Error("workerd was started without its inspector.");
    const socket = new WebSocket(new URL(`/core:user:${WORKER_NAME}`, address).href);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("The inspector cannot be reached.")));
    });
    return new Inspector(socket);
  }

  /** Calls a method of the protocol. Returns its result. */
  async ask(method: string, params: Record<string, unknown> = {}): Promise<unknown> {
    this.#id += 1;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#id, waiting);
    this.#socket.send(JSON.stringify({ id: this.#id, method, params }));
    return waiting.promise;
  }

  close(): void {
    this.#socket.close();
  }
}
