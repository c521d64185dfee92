import { writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { CommandFault, ROOT, type Refusal } from "./commandLine.ts";
import { openLocalBucket, retryWhileLocked } from "./localState.ts";
import type { Target } from "./target.ts";
import { RemoteFault, wranglerFor } from "./wrangler.ts";

/** The bucket of a service. */
export interface StoredBytes {
  ok: true;
  /** Writes an object to a file that only this user can read. Returns false when the object does not exist. */
  save(key: string, file: string): Promise<boolean>;
  close(): Promise<void>;
}

export async function storedBytesAt(target: Target): Promise<StoredBytes | Refusal> {
  if (!target.remote) return localBytes(target.state);
  const { unstable_readConfig } = await import("wrangler");
  const environment = target.environment === "production" ? {} : { env: target.environment };
  const configuration = unstable_readConfig(
    { config: path.join(ROOT, "wrangler.toml"), ...environment },
    { hideWarnings: true },
  );
  const bucket = bucketOf(configuration);
  if (bucket === undefined) throw new CommandFault("wrangler.toml names no bucket for the binding FILES.");
  const wrangler = wranglerFor(target.environment);
  return {
    ok: true,
    save: async (key, file) => {
      // An empty file, so that wrangler keeps its mode.
      await writeFile(file, "", { mode: 0o600 });
      try {
        await wrangler(["r2", "object", "get", `${bucket}/${key}`, "--file", file, "--remote"]);
        return true;
      } catch (fault) {
        if (fault instanceof RemoteFault && /does not exist/.test(fault.message)) return false;
        throw fault;
      }
    },
    close: async () => {},
  };
}

async function localBytes(state: string): Promise<StoredBytes | Refusal> {
  const opened = await openLocalBucket(state);
  if (!opened.ok) return opened;
  return {
    ok: true,
    save: async (key, file) => {
      const object = await retryWhileLocked(async () => {
        const found = await opened.bucket.get(key);
        return found === null ? null : new Uint8Array(await found.arrayBuffer());
      });
      if (object === null) return false;
      await writeFile(file, object, { mode: 0o600 });
      return true;
    },
    close: async () => opened.close(),
  };
}

const bucketsSchema = z.object({
  r2_buckets: z.array(z.object({ binding: z.string(), bucket_name: z.string().optional() })),
});

function bucketOf(configuration: object): string | undefined {
  const { r2_buckets } = bucketsSchema.parse(configuration);
  return r2_buckets.find(({ binding }) => binding === "FILES")?.bucket_name;
}
