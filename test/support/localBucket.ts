import { writeFile } from "node:fs/promises";
import path from "node:path";
import { loadWrangler } from "../../src/cli/localState.ts";

/** Opens the bucket of a state folder through miniflare, as the service does. */
export async function openLocalBucket(state: string): Promise<{ bucket: R2Bucket; close(): Promise<void> }> {
  const wrangler = await loadWrangler(state);
  const config = path.join(import.meta.dirname, "..", "..", "wrangler.toml");
  const { name, compatibility_date, r2_buckets } = wrangler.unstable_readConfig(
    { config },
    { hideWarnings: true },
  );
  const configPath = path.join(state, "bucket.json");
  await writeFile(configPath, JSON.stringify({ name, compatibility_date, r2_buckets }));
  const { env, dispose } = await wrangler.getPlatformProxy<{ FILES: R2Bucket }>({
    configPath,
    persist: { path: path.join(state, "v3") },
    envFiles: [],
    remoteBindings: false,
  });
  return { bucket: env.FILES, close: dispose };
}
