/**
 * A request's user turned out to be erased after the request had begun. Nothing of the request is kept for this user;
 * the same request, sent again, starts afresh.
 */
export interface UserErased {
  ok: false;
  code: "user_erased";
}

export const USER_ERASED: UserErased = { ok: false, code: "user_erased" };
