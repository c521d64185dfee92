import {
  fieldsOfJson,
  list,
  memberOrNull,
  numberOrNull,
  textOrNull,
  type Fields,
} from "../database/parse.ts";
import { FIT_WARNINGS, type FitWarning } from "../fit/types.ts";
import { FILE_ERROR_CODES } from "./errorCodes.ts";
import { type FileError } from "./file.ts";

/** Parses an error that any release may have stored. The code of a newer release becomes `internal`. */
export function fileErrorOf(fields: Fields): FileError {
  return {
    code: memberOrNull(FILE_ERROR_CODES, fields["code"]) ?? "internal",
    detail: textOrNull(fields["detail"]) ?? "",
    http_status: numberOrNull(fields["http_status"]),
    retryable: fields["retryable"] === true,
  };
}

/** Parses column `error` of a file. */
export function parseFileError(column: string | null): FileError | null {
  return column === null ? null : fileErrorOf(fieldsOfJson(column));
}

/** Parses column `warnings` of a file. Omits warnings of newer releases. */
export function parseWarnings(column: string): FitWarning[] {
  return list(JSON.parse(column)).flatMap((warning) => memberOrNull(FIT_WARNINGS, warning) ?? []);
}
