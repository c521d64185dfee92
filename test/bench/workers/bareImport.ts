import { decodeActivities } from "../../../src/fit/index.ts";

/** Connections of one invocation that may wait for headers at a time. */
const AT_ONCE = 6;

/** Downloads `count` files below `from`, stores and decodes each, six at a time. */
export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url);
    const from = searchParams.get("from") ?? "";
    const start = Number(searchParams.get("start"));
    const end = start + Number(searchParams.get("count"));
    let next = start;
    const lane = async () => {
      while (next < end) {
        const name = `${next}.fit`;
        next += 1;
        const bytes = await (await fetch(from + name)).bytes();
        await env.FILES.put(name, bytes);
        decodeActivities(bytes, { fallbackStartInSeconds: null });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<{ FILES: R2Bucket }>;
