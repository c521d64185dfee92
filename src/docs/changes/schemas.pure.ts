import type { ReferenceObject, SchemaObject, SchemaObjectType } from "openapi3-ts/oas31";
import { OPEN_LIST_KEYWORD } from "./keywords.ts";

type SchemaOrRef = SchemaObject | ReferenceObject;

/** Who sends values of a schema: a partner in a request, or the service in a response or an event. */
export type Direction = "request" | "response";

/** Schemas of a document by name. */
export type Schemas = Readonly<Record<string, SchemaOrRef>>;

const SCHEMA_REF = "#/components/schemas/";

/** One of the types that a schema allows, with the name of its schema. Null for a schema without a name. */
interface Alternative {
  kind: string;
  name: string | null;
  schema: SchemaObject;
}

type Bound = "minLength" | "maxLength" | "minItems" | "maxItems" | "minimum" | "maximum" | "multipleOf";
const MINIMA: readonly Bound[] = ["minLength", "minItems", "minimum"];
const MAXIMA: readonly Bound[] = ["maxLength", "maxItems", "maximum"];

/**
 * Compares the schemas of two documents. A change breaks clients when requests accept less than before, or when responses contain
 * less or new values of a closed list. Limits of responses may change.
 */
export class SchemaComparison {
  readonly #published: Schemas;
  readonly #current: Schemas;
  /** Places that were compared. A named schema is one place, however many operations use it. */
  readonly #seen = new Set<string>();
  readonly #report: (line: string) => void;

  constructor(published: Schemas, current: Schemas, report: (line: string) => void) {
    this.#published = published;
    this.#current = current;
    this.#report = report;
  }

  /** Reports what breaks clients. `at` names the place for a schema without a name. */
  compare(
    published: SchemaOrRef | undefined,
    current: SchemaOrRef | undefined,
    direction: Direction,
    at: string,
  ): void {
    if (published === undefined || current === undefined) return;
    const before = alternativesOf(published, this.#published);
    const after = alternativesOf(current, this.#current);
    const sent = direction === "request" ? before : after;
    const understood = direction === "request" ? after : before;
    for (const [index, one] of sent.entries()) {
      const match = matching(one, index, sent, understood);
      if (match === undefined) {
        this.#report(
          direction === "request"
            ? `${at} no longer accepts ${words(one)}`
            : `${at} can now be ${words(one)}`,
        );
        continue;
      }
      const [was, is] = direction === "request" ? [one, match] : [match, one];
      this.#compareAlternative(was, is, direction, at);
    }
  }

  #compareAlternative(was: Alternative, is: Alternative, direction: Direction, at: string): void {
    const isSameName = was.name !== null && was.name === is.name;
    const place = isSameName ? `${was.name} in ${direction}s` : at;
    if (isSameName && this.#seen.has(place)) return;
    this.#seen.add(place);
    if (direction === "request") this.#compareRequestValues(was.schema, is.schema, place);
    else this.#compareResponseValues(was.schema, is.schema, place);
    this.#compareFields(was.schema, is.schema, direction, place);
    this.compare(was.schema.items, is.schema.items, direction, `${place}[]`);
    const [otherWas, otherIs] = [was.schema.additionalProperties, is.schema.additionalProperties];
    if (typeof otherWas === "object" && typeof otherIs === "object") {
      this.compare(otherWas, otherIs, direction, `${place}.*`);
    }
  }

  #compareFields(was: SchemaObject, is: SchemaObject, direction: Direction, at: string): void {
    const before = was.properties ?? {};
    const after = is.properties ?? {};
    for (const [field, schema] of Object.entries(before)) {
      if (after[field] === undefined) this.#report(`${at}: the field ${field} was removed`);
      else this.compare(schema, after[field], direction, `${at}.${field}`);
    }
    const mustHave = direction === "request" ? is : was;
    for (const field of mustHave.required ?? []) {
      const other = direction === "request" ? was : is;
      if (other.required?.includes(field) === true) continue;
      if (direction === "request") {
        this.#report(`${at}: the field ${field} is now required`);
      } else if (after[field] !== undefined) {
        this.#report(`${at}: the field ${field} may now be absent`);
      }
    }
  }

  #compareRequestValues(was: SchemaObject, is: SchemaObject, at: string): void {
    for (const value of missing(valuesOf(was), valuesOf(is))) {
      this.#report(`${at} no longer accepts ${JSON.stringify(value)}`);
    }
    if (valuesOf(was) === null && valuesOf(is) !== null) {
      this.#report(`${at} accepts only a list of values now`);
    }
    for (const bound of [...MINIMA, ...MAXIMA]) {
      const limit = is[bound];
      if (limit === undefined) continue;
      const before = was[bound];
      const isNarrower = MINIMA.includes(bound)
        ? limit > (before ?? -Infinity) && limit > 0
        : limit < (before ?? Infinity);
      if (isNarrower) this.#report(`${at}: ${bound} is now ${limit}`);
    }
    for (const rule of ["pattern", "format"] as const) {
      if (is[rule] !== undefined && is[rule] !== was[rule]) this.#report(`${at}: ${rule} is now ${is[rule]}`);
    }
    if (was.type === "number" && is.type === "integer") this.#report(`${at} accepts only integers now`);
    if (was.additionalProperties !== false && is.additionalProperties === false) {
      this.#report(`${at} rejects other fields now`);
    }
    if (JSON.stringify(was.default) !== JSON.stringify(is.default))
      this.#report(`${at}: the default changed`);
  }

  #compareResponseValues(was: SchemaObject, is: SchemaObject, at: string): void {
    const isOpen = isOpenList(was);
    if (!isOpen) {
      for (const value of missing(valuesOf(is), valuesOf(was))) {
        this.#report(`${at}: the closed list has the new value ${JSON.stringify(value)}`);
      }
      if (valuesOf(was) !== null && (valuesOf(is) === null || isOpenList(is))) {
        this.#report(`${at}: the closed list is open now`);
      }
    }
    if (was.format !== undefined && is.format !== was.format) {
      this.#report(`${at}: the format is no longer ${was.format}`);
    }
    if (was.type === "integer" && is.type === "number") this.#report(`${at} can now be a fraction`);
  }
}

function isOpenList(schema: SchemaObject): boolean {
  return OPEN_LIST_KEYWORD in schema && schema[OPEN_LIST_KEYWORD] === true;
}

function valuesOf(schema: SchemaObject): unknown[] | null {
  if (schema.const !== undefined) return [schema.const];
  return schema.enum ?? null;
}

/** Returns the values of one list that another does not have. Empty without two lists. */
function missing(values: unknown[] | null, others: unknown[] | null): unknown[] {
  return values === null || others === null ? [] : values.filter((value) => !others.includes(value));
}

/** Returns the types that a schema allows, with references resolved. */
function alternativesOf(schema: SchemaOrRef, schemas: Schemas, name: string | null = null): Alternative[] {
  if ("$ref" in schema) {
    const target = schema.$ref.slice(SCHEMA_REF.length);
    const resolved = schemas[target];
    return resolved === undefined ? [] : alternativesOf(resolved, schemas, target);
  }
  const union = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])];
  if (union.length > 0) return union.flatMap((part) => alternativesOf(part, schemas));
  const [first, ...others] = schema.allOf ?? [];
  if (first !== undefined && others.length === 0) return alternativesOf(first, schemas, name);
  if (!Array.isArray(schema.type)) return [{ kind: kindOf(schema.type), name, schema }];
  return schema.type.map((type) => ({ kind: kindOf(type), name, schema: { ...schema, type } }));
}

/** Returns one kind for integers and fractions, so that they are compared with each other. */
function kindOf(type: SchemaObjectType | undefined): string {
  return type === "integer" ? "number" : (type ?? "any");
}

/** Returns the counterpart of an alternative: one of the same kind. Of several, the one with the same name or place. */
function matching(
  one: Alternative,
  index: number,
  own: readonly Alternative[],
  others: readonly Alternative[],
): Alternative | undefined {
  const candidates = others.filter(({ kind }) => kind === one.kind || kind === "any");
  if (candidates.length < 2) return candidates[0];
  const named = candidates.find(({ name }) => name !== null && name === one.name);
  if (named !== undefined || one.name !== null) return named;
  return candidates[own.slice(0, index).filter(({ kind }) => kind === one.kind).length];
}

function words({ kind, name }: Alternative): string {
  return name === null ? kind : `${kind} (${name})`;
}
