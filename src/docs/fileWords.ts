import { inBytes, inWords } from "../contract/amounts.ts";
import { DOWNLOAD_DEADLINE_MS, HELD_FOR_MS, MAX_FILE_BYTES } from "../contract/limits.ts";
import type { FileErrorCode } from "../files/errorCodes.ts";
import type { FitWarning } from "../fit/types.ts";

export { RETRY_CAN_HELP } from "../files/errorCodes.ts";

/** Meaning of each error of a file: `error.code`. */
export const FILE_ERRORS: Readonly<Record<FileErrorCode, string>> = {
  callback_gone: "The host responded with 400, 401, 403, 404 or 410.",
  callback_http_error: "The host responded with a status that is neither 200 nor one of `callback_gone`.",
  callback_timeout: `The host did not send the whole file within ${inWords(DOWNLOAD_DEADLINE_MS)}. Or it did not respond to requests for other files, so this file was not requested.`,
  callback_unreachable: "No connection was possible, the body was incomplete, or the redirects were invalid.",
  callback_refused: "The URL, or a URL that it redirects to, is not public or not on one of your hosts.",
  file_empty: "The file has no bytes.",
  file_too_large: `The file is larger than ${inBytes(MAX_FILE_BYTES)}, before or after decompression.`,
  not_fit: "The file is not a FIT file.",
  archive_invalid: "The gzip or zip file does not contain exactly one FIT file, or cannot be unpacked.",
  not_an_activity: "The FIT file is not an activity, but a workout, a course or settings.",
  no_activity_data: "The FIT file is an activity without data.",
  held_expired: `The file was held for ${inWords(HELD_FOR_MS)} without a task.`,
  import_cancelled: "You cancelled the import before this file was imported. Its status is `skipped`.",
  internal: "The service failed.",
};

/** Advice for each error. */
export const FILE_ADVICE: Readonly<Record<FileErrorCode, string>> = {
  callback_gone:
    "Ping again with a new URL and `priority` 1 (with 0 the file waits for a task). A retry uses the same URL, so it helps only if that URL works again.",
  callback_http_error: "Repair the host, then retry.",
  callback_timeout: "Make the host faster, then retry.",
  callback_unreachable: "Repair the host, then retry.",
  callback_refused:
    "Ping again with a public URL on one of your hosts. For a new host, ask us to add it, then retry.",
  file_empty: "Ping again with the whole file.",
  file_too_large: "Split the file and ping its parts.",
  not_fit: "Ping again with the FIT file.",
  archive_invalid: "Ping again with one FIT file, not packed, or packed without a password.",
  not_an_activity: "No action is needed. Ping only activities.",
  no_activity_data: "If the device recorded no data, no action is needed. Otherwise ping the whole file.",
  held_expired: "Retry the file. A retry needs no task.",
  import_cancelled: "No action is needed. To import the file after all, retry it or ping it again.",
  internal: "Retry the file. If it fails again, contact us.",
};

/** Meaning of each warning of an imported file. */
export const FILE_WARNINGS: Readonly<Record<FitWarning, string>> = {
  fit_truncated:
    "The file ends too early or exceeds the decoder's limits. The data before that was imported.",
  fit_crc_mismatch: "The checksum in the file does not match its bytes.",
  fit_segment_unreadable: "A part of the file could not be read.",
  fit_trailing_bytes: "The file has further bytes after the end of its FIT data.",
  clock_not_set: "The device's clock was not set. The `start_time_in_seconds` of the ping was used.",
  clock_jump: "The device's clock jumped during the activity.",
  elapsed_corrected:
    "The elapsed time was shorter than the timer time. If the session's start and end confirm the elapsed time, the timer time was corrected. Otherwise the elapsed time was corrected.",
  start_time_mismatch:
    "The start is later than the ping, or differs from the ping's `start_time_in_seconds` by more than a day.",
};
