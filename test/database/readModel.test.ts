import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { PING_FIELDS } from "../../src/files/pingFields.pure.ts";
import { IMPORT_COUNTS } from "../../src/imports/counts.pure.ts";

async function columnsOf(table: "files" | "imports"): Promise<string[]> {
  const { results } = await env.DB.prepare(`SELECT name FROM pragma_table_info('${table}')`).all<{
    name: string;
  }>();
  return results.map(({ name }) => name);
}

test("the read model has a column for each field of a ping and for each count of an import", async () => {
  expect(await columnsOf("files")).toEqual(expect.arrayContaining(PING_FIELDS));
  expect(await columnsOf("imports")).toEqual(expect.arrayContaining(IMPORT_COUNTS));
});
