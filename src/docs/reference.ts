import type {
  MediaTypeObject,
  OpenAPIObject,
  OperationObject,
  ResponseObject,
  SchemaObject,
} from "openapi3-ts/oas31";
import { responsesOf, METHODS, nameOf, type SchemaOrRef } from "./document.ts";
import { escape, listing, prose, table } from "./html.ts";

interface Entry {
  id: string;
  title: string;
}

/** A chapter of the page with its entries in the table of contents. */
export interface Chapter extends Entry {
  html: string;
  entries: Entry[];
}

/** Returns the chapters: operations by tag, events, schemas. `links` maps a code to the id that explains it. */
export function reference(document: OpenAPIObject, links: ReadonlyMap<string, string>): Chapter[] {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ operation, method: method.toUpperCase(), path }];
    }),
  );
  const chapters = (document.tags ?? []).map(({ name, description }): Chapter => {
    const own = operations.filter(({ operation }) => operation.tags?.includes(name));
    return {
      id: `tag-${name.toLowerCase()}`,
      title: name,
      html: `<p>${prose(description ?? "", links)}</p>${own.map((each) => operationHtml(each, links)).join("")}`,
      entries: own.map(({ operation, method, path }) => ({
        id: idOf(operation),
        title: `${method} ${path}`,
      })),
    };
  });
  return [...chapters, webhooksChapter(document, links), schemasChapter(document, links)];
}

function idOf(operation: OperationObject): string {
  return operation.operationId ?? "";
}

function operationHtml(
  { operation, method, path }: { operation: OperationObject; method: string; path: string },
  links: ReadonlyMap<string, string>,
): string {
  const title = `<span class="method ${method.toLowerCase()}">${method}</span> <span class="path">${breakable(path)}</span>`;
  return article(idOf(operation), title, operation, links);
}

/** Returns a path as HTML that can break after its slashes. */
function breakable(path: string): string {
  return escape(path).replaceAll("/", "/<wbr>");
}

function article(
  id: string,
  title: string,
  operation: OperationObject,
  links: ReadonlyMap<string, string>,
): string {
  return `<article id="${id}"><h3><a class="anchor" href="#${id}">${title}</a></h3>
<p class="summary">${prose(`${operation.summary ?? ""}.`, links)}</p><p>${prose(operation.description ?? "", links)}</p>
${parametersHtml(operation, links)}${bodyHtml(operation, links)}${responsesHtml(operation, links)}</article>`;
}

function parametersHtml(operation: OperationObject, links: ReadonlyMap<string, string>): string {
  const rows = (operation.parameters ?? []).flatMap((parameter) => {
    if ("$ref" in parameter) return [];
    const { name, description = "", required, schema } = parameter;
    return [
      [
        `<code>${escape(name)}</code>`,
        `${parameter.in}${required === true ? ", required" : ""}`,
        schema === undefined ? "" : typeHtml(schema),
        prose(description, links),
      ],
    ];
  });
  return rows.length === 0 ? "" : `<h4>Parameters</h4>${table(["Name", "In", "Type", "Meaning"], rows)}`;
}

function bodyHtml(operation: OperationObject, links: ReadonlyMap<string, string>): string {
  const body = operation.requestBody;
  if (body === undefined || "$ref" in body) return "";
  const content: Record<string, MediaTypeObject> = body.content;
  const parts = Object.entries(content).map(([type, { schema, examples = {} }]) => {
    const shown = Object.values(examples).flatMap((example) =>
      "$ref" in example ? [] : [exampleHtml(example.summary ?? "Example", example.value)],
    );
    return `<p><code>${escape(type)}</code> ${schema === undefined ? "" : typeHtml(schema)}</p>${schema === undefined ? "" : fieldsHtml(schema, links)}${shown.join("")}`;
  });
  return `<h4>Body</h4><p>${prose(body.description ?? "", links)}</p>${parts.join("")}`;
}

function responsesHtml(operation: OperationObject, links: ReadonlyMap<string, string>): string {
  const rows = responsesOf(operation).map(([status, response]) => [
    status,
    prose(response.description, links),
    responseHtml(response, links),
  ]);
  return `<h4>Responses</h4>${table(["Status", "Meaning", "Body"], rows)}`;
}

function responseHtml({ content = {} }: ResponseObject, links: ReadonlyMap<string, string>): string {
  return Object.entries(content)
    .map(([type, { schema, examples }]) => {
      if (type !== "application/problem+json") {
        return nameOf(schema) === null || schema === undefined
          ? `<code>${escape(type)}</code>`
          : typeHtml(schema);
      }
      return Object.keys(examples ?? {})
        .map((code) => prose(`\`${code}\``, links))
        .join(" ");
    })
    .join(" ");
}

function webhooksChapter(document: OpenAPIObject, links: ReadonlyMap<string, string>): Chapter {
  const events = Object.entries(document.webhooks ?? {}).flatMap(([type, item]) =>
    item.post === undefined ? [] : [{ type, operation: item.post }],
  );
  const articles = events.map(({ type, operation }) =>
    article(
      idOf(operation),
      `<span class="method event">EVENT</span> <span class="path">${escape(type)}</span>`,
      operation,
      links,
    ),
  );
  return {
    id: "webhooks",
    title: "Events that you receive",
    html: `<p>Sent to your <code>event_url</code> or your endpoints; see <a href="#events">Receiving events</a>.</p>${articles.join("")}`,
    entries: events.map(({ type, operation }) => ({ id: idOf(operation), title: type })),
  };
}

function schemasChapter(document: OpenAPIObject, links: ReadonlyMap<string, string>): Chapter {
  const schemas = Object.entries(document.components?.schemas ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const articles = schemas.map(([name, schema]) => {
    const examples = "$ref" in schema ? [] : (schema.examples ?? []);
    const shown = examples.map((example) => exampleHtml("Example", example));
    const type = "$ref" in schema || schema.type === "object" ? "" : `<p>${typeHtml(schema)}</p>`;
    return `<article id="schema-${name}"><h3><a class="anchor" href="#schema-${name}">${name}</a></h3>
<p>${prose(schema.description ?? "", links)}</p>${type}${fieldsHtml(schema, links)}${shown.join("")}</article>`;
  });
  return {
    id: "schemas",
    title: "Schemas",
    html: articles.join(""),
    entries: schemas.map(([name]) => ({ id: `schema-${name}`, title: name })),
  };
}

function exampleHtml(title: string, value: unknown): string {
  return `<details><summary>${escape(title)}</summary>${listing(JSON.stringify(value, null, 2), title)}</details>`;
}

/** Returns a table of the fields of a schema. Fields of inner objects have dotted names. */
function fieldsHtml(schema: SchemaOrRef, links: ReadonlyMap<string, string>): string {
  const rows = fieldRows(schema, "", links);
  return rows.length === 0 ? "" : table(["Field", "Type", "Meaning"], rows);
}

function fieldRows(schema: SchemaOrRef, path: string, links: ReadonlyMap<string, string>): string[][] {
  if ("$ref" in schema) return [];
  const properties: Record<string, SchemaOrRef> = schema.properties ?? {};
  const own = Object.entries(properties).flatMap(([field, property]) => {
    const name = path === "" ? field : `${path}.${field}`;
    const optional =
      schema.required?.includes(field) === true ? "" : ' <span class="optional">optional</span>';
    const words = prose(property.description ?? "", links);
    return [
      [`<code>${breakableName(name)}</code>${optional}`, typeHtml(property), words],
      ...fieldRows(property, name, links),
    ];
  });
  const variants = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].flatMap((part) =>
    fieldRows(part, path, links),
  );
  const { additionalProperties } = schema;
  const columns =
    path === "" && typeof additionalProperties === "object"
      ? [["<em>any other</em>", typeHtml(additionalProperties), "The column of the stream with this name."]]
      : [];
  const items = schema.items === undefined ? [] : fieldRows(schema.items, `${path}[]`, links);
  return [...own, ...columns, ...items, ...withoutRepetition(variants)];
}

/** Returns the rows without repetitions: variants of an object share most fields. */
function withoutRepetition(rows: string[][]): string[][] {
  return [...new Map(rows.map((row) => [row.join(), row])).values()];
}

/** Returns a name as HTML that can break after its underscores and dots. */
function breakableName(name: string): string {
  return escape(name).replaceAll(/[_.]/g, "$&<wbr>");
}

function typeHtml(schema: SchemaOrRef): string {
  const name = nameOf(schema);
  if (name !== null) return `<a href="#schema-${name}">${name}</a>`;
  if ("$ref" in schema) return "";
  if (schema.items !== undefined) return `array of ${typeHtml(schema.items)}${boundsOf(schema)}`;
  const variants = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])];
  if (variants.length > 0) return variants.map((variant) => typeHtml(variant)).join(" or ");
  if (schema.enum !== undefined) {
    const values: unknown[] = schema.enum;
    return values.map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(" | ");
  }
  const types = [schema.type ?? []].flat();
  const { additionalProperties } = schema;
  const of =
    typeof additionalProperties === "object" && Object.keys(additionalProperties).length > 0
      ? ` of ${typeHtml(additionalProperties)}`
      : "";
  const format = schema.format === "date-time" ? " (RFC 3339)" : "";
  return `${types.map((type) => escape(type)).join(" or ")}${of}${format}${boundsOf(schema)}`;
}

function boundsOf({ minLength, maxLength, minItems, maxItems, minimum, maximum }: SchemaObject): string {
  const number = (value: number) => value.toLocaleString("en");
  const from = minLength ?? minItems ?? minimum;
  const to = maxLength ?? maxItems ?? maximum;
  const unit = maxLength !== undefined ? " characters" : maxItems !== undefined ? " items" : "";
  if (to === undefined) return "";
  return `, ${from === undefined ? "up to" : `${number(from)} to`} ${number(to)}${unit}`;
}
