import type { z } from "zod";

/** One thing wrong with a request: where (a JSON pointer, RFC 6901), a stable code, a sentence. */
export interface Fault {
  pointer: string;
  code: string;
  detail: string;
}

export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Names what zod found wrong with `input` in the contract's words; every unknown key is a fault of its own. */
export function faultsOf(issues: readonly z.core.$ZodIssue[], input: unknown): Fault[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        pointer: pointerOf([...issue.path, key]),
        code: "unknown_parameter",
        detail: "There is no such parameter here.",
      }));
    }
    const pointer = pointerOf(issue.path);
    const isMissing = issue.code !== "custom" && valueAt(input, issue.path) === undefined;
    return isMissing
      ? [{ pointer, code: "required", detail: "This field is required." }]
      : [{ pointer, code: codeOf(issue), detail: issue.message }];
  });
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Object.entries(value).find(([key]) => key === String(part))?.[1];
  }
  return value;
}

function codeOf(issue: Exclude<z.core.$ZodIssue, z.core.$ZodIssueUnrecognizedKeys>): string {
  switch (issue.code) {
    case "too_small":
    case "too_big": {
      const counted = issue.origin === "string" || issue.origin === "array";
      if (issue.code === "too_small") return counted ? "too_short" : "too_small";
      return counted ? "too_long" : "too_big";
    }
    case "custom": {
      const code: unknown = issue.params?.["code"];
      return typeof code === "string" ? code : "invalid_value";
    }
    case "invalid_type":
    case "invalid_format":
    case "not_multiple_of":
    case "invalid_union":
    case "invalid_key":
    case "invalid_element":
    case "invalid_value":
      return issue.code;
  }
}
