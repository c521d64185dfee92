import type { FileErrorCode } from "../files/file.ts";
import type { FitWarning } from "../fit/types.ts";

/** Why a file failed: `error.code`. */
export const FILE_ERRORS: Readonly<Record<FileErrorCode, string>> = {
  callback_gone: "The host answered 400, 401, 403, 404 or 410.",
  callback_http_error: "The host answered with another status that is no success, or without a body.",
  callback_timeout: "The whole file did not come within 30 seconds, in any attempt.",
  callback_unreachable: "No connection, a body that broke off, or redirects that lead nowhere.",
  callback_refused: "The URL, or one that it redirects to, is not public or not one of your hosts.",
  file_empty: "The file has no bytes.",
  file_too_large: "It has more than 32 MiB, or unpacks to more than an import takes.",
  not_fit: "It is not a FIT file.",
  archive_invalid: "A gzip or zip that does not hold exactly one FIT file.",
  not_an_activity: "A FIT file of another kind: a workout, a course, settings.",
  no_activity_data: "A FIT activity that holds none.",
  held_expired: "It was held for 30 days and no task came.",
  internal: "Our fault.",
};

/** What to do about each, and whether a retry from the kept bytes or URL can end otherwise. */
export const FILE_ADVICE: Readonly<Record<FileErrorCode, { advice: string; retryCanHelp: boolean }>> = {
  callback_gone: {
    advice:
      "Ping again with a fresh URL and priority 1 (with 0 it waits for a task); a retry asks for the same one, so it helps once that works again.",
    retryCanHelp: true,
  },
  callback_http_error: { advice: "Mend the host, then retry.", retryCanHelp: true },
  callback_timeout: { advice: "Make the host faster, then retry.", retryCanHelp: true },
  callback_unreachable: { advice: "Mend the host, then retry.", retryCanHelp: true },
  callback_refused: {
    advice:
      "Ping again with a public URL on one of your hosts. If it is a new host, ask us to add it, then retry.",
    retryCanHelp: true,
  },
  file_empty: { advice: "Ping again with the whole file.", retryCanHelp: false },
  file_too_large: { advice: "Split it, and ping its parts.", retryCanHelp: false },
  not_fit: { advice: "Ping again with the FIT file.", retryCanHelp: false },
  archive_invalid: {
    advice: "Ping again with one FIT file, packed without a password or not at all.",
    retryCanHelp: false,
  },
  not_an_activity: { advice: "Nothing: ping activities only.", retryCanHelp: false },
  no_activity_data: {
    advice: "Nothing, if the device recorded none; else ping the whole file.",
    retryCanHelp: false,
  },
  held_expired: { advice: "Retry imports it without a task.", retryCanHelp: true },
  internal: { advice: "Retry; if it fails again, ask us.", retryCanHelp: true },
};

/** What was odd about a file that was imported all the same. */
export const FILE_WARNINGS: Readonly<Record<FitWarning, string>> = {
  fit_truncated: "The file ends too early or exceeds the decoder's limits; what was read stays.",
  fit_crc_mismatch: "The checksum is wrong.",
  fit_segment_unreadable: "A part of the file could not be read.",
  fit_trailing_bytes: "There is something behind the file's end.",
  clock_not_set: "The device did not know the time; the ping's `start_time_in_seconds` was used.",
  clock_jump: "The device's clock jumped on the way.",
  elapsed_corrected: "The elapsed time was shorter than the timer's, and was corrected.",
};
