import { z } from "@hono/zod-openapi";

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Counts characters, not UTF-16 units; a long text is counted only where that can matter. */
function hasAtMost(text: string, characters: number): boolean {
  if (text.length <= characters) return true;
  if (text.length > 2 * characters) return false;
  return Array.from(text).length <= characters;
}

/** A text of at most so many characters. */
export function textOf(maxCharacters: number) {
  return z
    .string()
    .refine((text) => hasAtMost(text, maxCharacters), {
      params: { code: "too_long" },
      error: `At most ${maxCharacters} characters.`,
    })
    .openapi({ maxLength: maxCharacters });
}

/** As many characters as fit an index entry and a log line of any store. */
const MAX_NAME_CHARACTERS = 255;

/** A name that partners gave and that is echoed byte for byte: a user, a source, a file, an event. */
export function nameText() {
  return textOf(MAX_NAME_CHARACTERS)
    .min(1)
    .refine((text) => !CONTROL.test(text), {
      params: { code: "control_character" },
      error: "Control characters are not allowed.",
    })
    .refine((text) => text.isWellFormed(), {
      params: { code: "lone_surrogate" },
      error: "Half of a surrogate pair is not text.",
    })
    .openapi({ minLength: 1, maxLength: MAX_NAME_CHARACTERS });
}

/** A user's name; it is also a path segment, and these two are no segments. */
export function userIdText() {
  return nameText().refine((text) => text !== "." && text !== "..", {
    params: { code: "invalid_value" },
    error: "A user_id cannot be `.` or `..`.",
  });
}
