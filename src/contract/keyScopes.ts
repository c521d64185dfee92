/** What a key may do: everything, or only read. */
export const KEY_SCOPES = ["full", "read"] as const;
