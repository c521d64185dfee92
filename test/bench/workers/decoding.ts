import FitParser from "fit-file-parser";
import { decodeActivities } from "../../../src/fit/index.ts";

/** Decodes the body `times` times, `by=ours` or `by=library`. */
export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const bytes = await request.bytes();
    const times = Number(searchParams.get("times"));
    for (let time = 0; time < times; time += 1) {
      if (searchParams.get("by") === "ours") decodeActivities(bytes, { fallbackStartInSeconds: null });
      else await new FitParser({ force: true, mode: "list" }).parseAsync(bytes.slice().buffer);
    }
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler;
