/** Keyword of a list of values in the document: whether values may be added to it in responses. */
export const OPEN_LIST_KEYWORD = "x-open-list";

/** Keyword of a deprecated operation in the document: the day from which it may be removed. */
export const SUNSET_KEYWORD = "x-sunset";
