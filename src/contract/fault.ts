import { z } from "@hono/zod-openapi";
import { detailOf } from "./faultDetail.ts";

/** Kinds of faults in a request. The documentation explains each. */
export const FAULT_CODES = [
  "required",
  "invalid_type",
  "invalid_value",
  "invalid_format",
  "too_short",
  "too_long",
  "too_small",
  "too_big",
  "too_many_items",
  "too_many_users",
  "time_not_in_seconds",
  "control_character",
  "lone_surrogate",
  "unknown_parameter",
  "invalid_cursor",
  "invalid_callback",
  "address_refused",
  "file_too_large",
  "not_fit",
] as const;
export type FaultCode = (typeof FAULT_CODES)[number];

/** One fault of a request: a JSON pointer (RFC 6901), a stable code and a sentence. */
export const faultSchema = z
  .strictObject({
    pointer: z.string().openapi({ example: "/activity_files/3/priority" }),
    code: z.enum(FAULT_CODES).openapi("FaultCode"),
    detail: z.string(),
  })
  .openapi("Fault");
export type Fault = z.infer<typeof faultSchema>;

/** Codes of faults that reject a whole list, so that its items are not judged. Each is also a problem's code. */
const LIST_FAULT_CODES = ["too_many_items", "too_many_users"] as const satisfies readonly FaultCode[];

/** Returns the first fault that rejects a whole list, with its code; null without one. */
export function listFaultOf(
  faults: readonly Fault[],
): { code: (typeof LIST_FAULT_CODES)[number]; fault: Fault } | null {
  for (const fault of faults) {
    const code = LIST_FAULT_CODES.find((known) => known === fault.code);
    if (code !== undefined) return { code, fault };
  }
  return null;
}

export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Returns the faults for zod's issues with `input`. Each unknown key is a separate fault. */
export function faultsOf(issues: readonly z.core.$ZodIssue[], input: unknown): Fault[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        pointer: pointerOf([...issue.path, key]),
        code: "unknown_parameter",
        detail: "The route does not support this parameter or field. Remove it.",
      }));
    }
    const pointer = pointerOf(issue.path);
    const value = valueAt(input, issue.path);
    const isMissing = issue.code !== "custom" && value === undefined;
    return isMissing
      ? [{ pointer, code: "required", detail: "This field is required." }]
      : [{ pointer, code: codeOf(issue), detail: detailOf(issue, value) }];
  });
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

function codeOf(issue: Exclude<z.core.$ZodIssue, z.core.$ZodIssueUnrecognizedKeys>): FaultCode {
  switch (issue.code) {
    case "too_small":
    case "too_big": {
      const counted = issue.origin === "string" || issue.origin === "array";
      if (issue.code === "too_small") return counted ? "too_short" : "too_small";
      return counted ? "too_long" : "too_big";
    }
    case "custom": {
      const code: unknown = issue.params?.["code"];
      return FAULT_CODES.find((known) => known === code) ?? "invalid_value";
    }
    case "invalid_type":
    case "invalid_format":
      return issue.code;
    case "not_multiple_of":
    case "invalid_union":
    case "invalid_key":
    case "invalid_element":
    case "invalid_value":
      return "invalid_value";
  }
}
