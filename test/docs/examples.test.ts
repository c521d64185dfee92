import { env } from "cloudflare:workers";
import { describe as group, expect, test } from "vitest";
import { z } from "zod";
import { activityWithPartsSchema, streamsSchema } from "../../src/activities/activity.ts";
import { describe } from "../../src/docs/document.ts";
import { SCHEMA_EXAMPLES } from "../../src/docs/examples.ts";
import { SMALL_RIDE } from "../../src/docs/smallRide.ts";
import { fileId } from "../../src/identifiers.ts";
import { app } from "../../src/http/app.ts";
import { send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";
import { collectorOf, settle } from "../support/world.ts";

interface RequestExample {
  title: string;
  method: string;
  path: string;
  body: unknown;
  /** The one good answer that the document promises. */
  promised: number;
}

function requestExamples(): RequestExample[] {
  const operations = Object.entries(describe(app).paths ?? {}).flatMap(([path, { post, patch }]) => [
    { path, method: "POST", operation: post },
    { path, method: "PATCH", operation: patch },
  ]);
  return operations.flatMap(({ path, method, operation }) => {
    const requestBody = operation?.requestBody;
    if (operation === undefined || requestBody === undefined || "$ref" in requestBody) return [];
    const examples = requestBody.content["application/json"]?.examples ?? {};
    const promised = Number(Object.keys(operation.responses ?? {}).find((status) => status.startsWith("2")));
    return Object.entries(examples).flatMap(([name, example]) =>
      "value" in example
        ? [{ title: `${operation.operationId} ${name}`, method, path, body: example.value, promised }]
        : [],
    );
  });
}

group("the examples", () => {
  const examples = requestExamples();

  test("exist for every operation with a JSON body", () => {
    expect(examples.map(({ title }) => title)).toEqual([
      "postPings url",
      "postPings inline",
      "postTask task",
      "patchFile name",
      "patchActivity sport",
      "patchActivity exclude",
      "patchActivity undo",
      "createEndpoint rides",
      "changeEndpoint hold",
      "recoverEndpoint day",
      "rotateEndpointSecret rotation",
      "patchPartner hosts",
      "patchPartner sources",
      "createKey rotation",
      "createKey read",
    ]);
  });

  test.for(examples)("$title gets the documented response", async ({ method, path, body, promised }) => {
    const partner = await newPartner({ event_url: "https://hooks.example.com/events" });
    const file_id = fileId({
      partnerId: partner.partnerId,
      userId: "rider-1",
      source: "head-unit",
      summaryId: "ride-1",
    });
    const ids = { file_id, activity_id: `${file_id}.0`, endpoint_id: "ep_default" };
    const address = path.replace(/\{(\w+)\}/, (_, name: keyof typeof ids) => ids[name]);
    if (/\{(?:file_id|activity_id)\}/.test(path)) {
      const inline = examples.find((example) => example.title === "postPings inline");
      await send(partner, "POST", "/api/fit_partner_ping/", { body: inline?.body });
      await settle(collectorOf(partner.partnerId, "rider-1", "head-unit"));
    }
    const response = await send(partner, method, address, { body });
    expect([response.status, await response.json()]).toEqual([promised, expect.anything()]);
  });

  test("the small ride gives the documented activity, streams and inspection", async () => {
    const partner = await newPartner();
    const inline = examples.find(({ title }) => title === "postPings inline");
    expect((await send(partner, "POST", "/api/fit_partner_ping/", { body: inline?.body })).status).toBe(202);
    await settle(collectorOf(partner.partnerId, "rider-1", "head-unit"));

    const listed = await send(partner, "GET", "/api/activities/?user_id=rider-1");
    const [found] = z
      .object({ data: z.array(z.object({ activity_id: z.string() })) })
      .parse(await listed.json()).data;
    const path = `/api/activities/${found?.activity_id}/`;
    const activity = activityWithPartsSchema.parse(await (await send(partner, "GET", path)).json());
    const shown = activityWithPartsSchema.parse(SCHEMA_EXAMPLES.get("ActivityWithParts"));
    const { activity_id, file_id, version, created_at, updated_at } = activity;
    expect(activity).toEqual({ ...shown, activity_id, file_id, version, created_at, updated_at });

    const streams = streamsSchema.parse(await (await send(partner, "GET", `${path}streams/`)).json());
    expect(streams).toEqual(SCHEMA_EXAMPLES.get("Streams"));

    const inspection = await app.request(
      "/api/fit/inspect/?streams=true",
      {
        method: "POST",
        headers: { ...partner.headers, "Content-Type": "application/octet-stream" },
        body: Buffer.from(SMALL_RIDE, "base64"),
      },
      env,
    );
    expect(await inspection.json()).toEqual(SCHEMA_EXAMPLES.get("Inspection"));
  });
});
