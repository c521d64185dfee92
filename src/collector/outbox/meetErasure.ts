/**
 * Called after each write to the read model, with the bound of the user's last erasure there (0: none). An erasure that
 * did not know of this collector is carried out then.
 */
export type MeetErasure = (bound: number) => Promise<void>;
