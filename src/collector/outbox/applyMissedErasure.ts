/**
 * Applies an erasure that did not reach this collector. Called after each write to the read model, with the bound of
 * the user's last erasure there; 0 for none.
 */
export type ApplyMissedErasure = (bound: number) => Promise<void>;
