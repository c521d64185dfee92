import type {
  MediaTypeObject,
  OpenAPIObject,
  OperationObject,
  ResponseObject,
  SchemaObject,
} from "openapi3-ts/oas31";
import { responsesOf, METHODS, nameOf, type SchemaOrRef } from "./document.ts";
import type { ProblemCode } from "../http/problem.ts";
import { aside, card, jsonOf, requestTabs } from "./code.ts";
import { REPORT_EXAMPLE } from "./examples.ts";
import { escape, prose, table } from "./html.ts";
import { requestOf, shownExample } from "./operationRequests.ts";

/** An entry of the table of contents. `html` is its title. */
interface Entry {
  id: string;
  title: string;
}

/** A chapter of the page with its entries in the table of contents. */
export interface Chapter extends Entry {
  html: string;
  entries: Entry[];
}

/** Returns the chapters: operations by tag, events. `links` maps a code to the address that explains it. */
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
      html: `<p>${prose(description ?? "", links)}</p>${own.map((each) => operationHtml(document, each, links)).join("")}`,
      entries: own.map(({ operation, method, path }) => ({
        id: idOf(operation),
        title: operationTitle(method, path),
      })),
    };
  });
  return [...chapters, webhooksChapter(document, links)];
}

function idOf(operation: OperationObject): string {
  return operation.operationId ?? "";
}

function operationHtml(
  document: OpenAPIObject,
  { operation, method, path }: { operation: OperationObject; method: string; path: string },
  links: ReadonlyMap<string, string>,
): string {
  const code = aside(
    requestTabs(requestOf(operation, method, path), idOf(operation)),
    responseExample(document, operation),
  );
  return article(idOf(operation), operationTitle(method, path), operation, code, links);
}

/** Returns a method and a path as HTML. The path can break after its slashes. */
function operationTitle(method: string, path: string): string {
  return `<span class="method ${method.toLowerCase()}">${method}</span> <span class="path">${escape(path).replaceAll(/\/(?=.)/g, "/<wbr>")}</span>`;
}

/** Returns the example of an operation's first successful response. */
function responseExample(document: OpenAPIObject, operation: OperationObject): string {
  const [status, { content = {} }] = responsesOf(operation).find(([status]) => status.startsWith("2")) ?? [
    "",
    {},
  ];
  const [type] = Object.keys(content);
  if (type === "application/x-ndjson") return card(REPORT_EXAMPLE, `Response ${status}, JSON lines`);
  const schema = content["application/json"]?.schema;
  if (schema === undefined)
    return card(`Content-Type: ${type}\n\nThe bytes of the file.`, `Response ${status}`);
  const example = exampleOf(document, schema);
  return example === undefined ? "" : card(jsonOf(example), `Response ${status}`);
}

function exampleOf(document: OpenAPIObject, schema: SchemaOrRef): unknown {
  const named = document.components?.schemas?.[nameOf(schema) ?? ""];
  return named === undefined || "$ref" in named ? undefined : named.examples?.[0];
}

function article(
  id: string,
  title: string,
  operation: OperationObject,
  code: string,
  links: ReadonlyMap<string, string>,
): string {
  const deprecated = operation.deprecated === true ? ' <span class="badge">Deprecated</span>' : "";
  return `<article id="${id}"${code === "" ? "" : ' class="has-code"'}><h3><a class="anchor" href="#${id}">${title}</a>${deprecated}</h3>
${code}<p class="summary">${prose(`${operation.summary ?? ""}.`, links)}</p><p>${prose(operation.description ?? "", links)}</p>
${parametersHtml(operation, links)}${bodyHtml(operation, links)}${responsesHtml(operation, links)}</article>`;
}

/** A parameter or a field. All but the description is HTML. */
interface Field {
  name: string;
  type: string;
  /** `required`, `optional` or empty. */
  presence: string;
  description: string;
}

/** Returns a list of parameters or fields. */
function fieldList(fields: readonly Field[]): string {
  const items = fields.map(({ name, type, presence, description }) => {
    const mark = presence === "" ? "" : ` <span class="${presence}">${presence}</span>`;
    return `<li><div><code>${name}</code> <span class="type">${type}</span>${mark}</div>${description === "" ? "" : `<p>${description}</p>`}</li>`;
  });
  return `<ul class="fields">${items.join("")}</ul>`;
}

function parametersHtml(operation: OperationObject, links: ReadonlyMap<string, string>): string {
  const fields = (operation.parameters ?? []).flatMap((parameter): Field[] => {
    if ("$ref" in parameter) return [];
    const { name, description = "", required, schema } = parameter;
    const type = schema === undefined ? "" : typeHtml(schema);
    return [
      {
        name: escape(name),
        type: `${parameter.in}${type === "" ? "" : `, ${type}`}`,
        presence: required === true ? "required" : "",
        description: prose(description, links),
      },
    ];
  });
  return fields.length === 0 ? "" : `<h4>Parameters</h4>${fieldList(fields)}`;
}

function bodyHtml(operation: OperationObject, links: ReadonlyMap<string, string>): string {
  const body = operation.requestBody;
  if (body === undefined || "$ref" in body) return "";
  const content: Record<string, MediaTypeObject> = body.content;
  const parts = Object.entries(content).map(([type, { schema, examples = {} }]) => {
    const beside = shownExample(idOf(operation), Object.keys(examples));
    const shown = Object.entries(examples).flatMap(([name, example]) =>
      name === beside || "$ref" in example ? [] : [card(jsonOf(example.value), example.summary ?? "Example")],
    );
    const fields = schema === undefined ? "" : `${typeHtml(schema)}</p>${fieldsHtml(schema, links)}`;
    return `<p><code>${escape(type)}</code> ${fields}${shown.join("")}`;
  });
  return `<h4>Body</h4><p>${prose(body.description ?? "", links)}</p>${parts.join("")}`;
}

/** Problems that every operation with a key can return. The page does not repeat them for each operation. */
const USUAL: Readonly<Record<string, readonly ProblemCode[]>> = {
  "401": ["unauthorized"],
  "429": ["rate_limited"],
  "500": ["internal"],
  "503": ["store_unavailable", "schema_missing", "memory_short"],
};

function isUsual(status: string, { content = {} }: ResponseObject): boolean {
  const codes = Object.keys(content["application/problem+json"]?.examples ?? {});
  const usual: readonly string[] = USUAL[status] ?? [];
  return codes.length > 0 && codes.every((code) => usual.includes(code));
}

function responsesHtml(operation: OperationObject, links: ReadonlyMap<string, string>): string {
  const responses = responsesOf(operation);
  const shown = responses.filter(([status, response]) => !isUsual(status, response));
  const rows = shown.map(([status, response]) => [
    status,
    prose(response.description, links),
    responseHtml(response, links),
  ]);
  const others = responses.filter((each) => !shown.includes(each)).map(([status]) => status);
  const rest =
    others.length === 0
      ? ""
      : `<p>Also ${others.join(", ")}, with the <a href="#statuses">usual problems</a>.</p>`;
  return `<h4>Responses</h4>${table(["Status", "Meaning", "Body"], rows)}${rest}`;
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
  const titleOf = (type: string) =>
    `<span class="method event">EVENT</span> <span class="path">${escape(type)}</span>`;
  const articles = events.map(({ type, operation }) => {
    const body = operation.requestBody;
    const schema =
      body === undefined || "$ref" in body ? undefined : body.content["application/json"]?.schema;
    const example = schema === undefined ? undefined : exampleOf(document, schema);
    const code = example === undefined ? "" : aside(card(jsonOf(example), `Body of ${type}`));
    return article(idOf(operation), titleOf(type), operation, code, links);
  });
  return {
    id: "webhooks",
    title: "Webhooks",
    html: `<p>Sent to your <code>event_url</code> or your endpoints; see <a href="#events">Receiving webhooks</a>.</p>${articles.join("")}`,
    entries: events.map(({ type, operation }) => ({ id: idOf(operation), title: titleOf(type) })),
  };
}

/** Returns the schemas of the document. `links` maps a code to the address that explains it. */
export function schemaChapters(document: OpenAPIObject, links: ReadonlyMap<string, string>): Chapter[] {
  const schemas = Object.entries(document.components?.schemas ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return schemas.map(([name, schema]) => {
    const type =
      "$ref" in schema || schema.type === "object" ? "" : `<p class="type">${typeHtml(schema)}</p>`;
    const html = `<article id="${name}"><h2><a class="anchor" href="#${name}">${name}</a></h2>
<p>${prose(schema.description ?? "", links)}</p>${type}${fieldsHtml(schema, links)}</article>`;
    return { id: name, title: name, html, entries: [] };
  });
}

/** Returns the fields of a schema. Fields of inner objects have dotted names. */
function fieldsHtml(schema: SchemaOrRef, links: ReadonlyMap<string, string>): string {
  const fields = fieldsOf(schema, "", links);
  return fields.length === 0 ? "" : fieldList(fields);
}

function fieldsOf(schema: SchemaOrRef, path: string, links: ReadonlyMap<string, string>): Field[] {
  if ("$ref" in schema) return [];
  const properties: Record<string, SchemaOrRef> = schema.properties ?? {};
  const own = Object.entries(properties).flatMap(([field, property]): Field[] => {
    const name = path === "" ? field : `${path}.${field}`;
    return [
      {
        name: escape(name),
        type: typeHtml(property),
        presence: schema.required?.includes(field) === true ? "" : "optional",
        description: prose(property.description ?? "", links),
      },
      ...fieldsOf(property, name, links),
    ];
  });
  const variants = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].flatMap((part) =>
    fieldsOf(part, path, links),
  );
  const { additionalProperties } = schema;
  const columns: Field[] =
    path === "" && typeof additionalProperties === "object"
      ? [
          {
            name: "any other name",
            type: typeHtml(additionalProperties),
            presence: "",
            description: "The column of the stream with this name.",
          },
        ]
      : [];
  const items = schema.items === undefined ? [] : fieldsOf(schema.items, `${path}[]`, links);
  return [...own, ...columns, ...items, ...withoutRepetition(variants)];
}

/** Returns the fields without repetitions: variants of an object share most fields. */
function withoutRepetition(fields: Field[]): Field[] {
  return [...new Map(fields.map((field) => [JSON.stringify(field), field])).values()];
}

function typeHtml(schema: SchemaOrRef): string {
  const name = nameOf(schema);
  if (name !== null) return `<a href="/docs/schemas/#${name}">${name}</a>`;
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
