export const FILE_ERROR_CODES = [
  "callback_gone",
  "callback_http_error",
  "callback_timeout",
  "callback_unreachable",
  "callback_refused",
  "file_empty",
  "file_too_large",
  "not_fit",
  "archive_invalid",
  "not_an_activity",
  "no_activity_data",
  "held_expired",
  "import_cancelled",
  "internal",
] as const;
export type FileErrorCode = (typeof FILE_ERROR_CODES)[number];

/** Whether a retry can help after each error. It cannot where the same bytes must fail again. */
export const RETRY_CAN_HELP: Readonly<Record<FileErrorCode, boolean>> = {
  callback_gone: true,
  callback_http_error: true,
  callback_timeout: true,
  callback_unreachable: true,
  callback_refused: true,
  file_empty: false,
  file_too_large: false,
  not_fit: false,
  archive_invalid: false,
  not_an_activity: false,
  no_activity_data: false,
  held_expired: true,
  import_cancelled: true,
  internal: true,
};
