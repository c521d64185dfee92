import { createRoute, z } from "@hono/zod-openapi";
import { reportLineSchema } from "../../imports/report/lines.ts";
import { openReport } from "../../imports/report/report.ts";
import { requestMemory } from "../../memory/budget.ts";
import { endpoint } from "../context.ts";
import { LINES_BYTES, lineStream } from "../lineStream.ts";
import { memoryShort, notFound, notFoundProblem, readProblems } from "../problem.ts";
import { noQuery } from "../query.ts";
import { rowCounter } from "../rateLimit.ts";

/** Typed as a string, because the router's types take this media type for JSON. */
const JSON_LINES: string = "application/x-ndjson";

const route = createRoute({
  method: "get",
  path: "/api/imports/{import_id}/report/",
  summary: "Get a report of an import, with one line for each file",
  request: { params: z.object({ import_id: z.string() }), query: noQuery },
  responses: {
    200: {
      description:
        "JSON lines: a `file` for each file, then one `end`, or one `error` if the report is incomplete.",
      content: { [JSON_LINES]: { schema: reportLineSchema } },
    },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getReport = endpoint(route, async (c) => {
  const { import_id } = c.req.valid("param");
  const hold = requestMemory(c.var.partner.partner_id);
  if (!hold.tryGrowTo(LINES_BYTES)) return memoryShort(c);
  let isStreaming = false;
  try {
    const pages = await openReport(c.env, c.var.partner, import_id, rowCounter(c));
    if (pages === null) return notFound(c, "import");
    isStreaming = c.req.method !== "HEAD";
    const headers = {
      "Content-Type": JSON_LINES,
      "Content-Disposition": `attachment; filename="${import_id}.ndjson"`,
    };
    return new Response(isStreaming ? lineStream(pages, hold) : null, { headers });
  } finally {
    if (!isStreaming) hold.release();
  }
});
