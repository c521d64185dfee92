/**
 * The request's user was erased after the request had begun. Nothing of the request is stored for this user. The same
 * request, sent again, starts afresh.
 */
export interface UserErased {
  ok: false;
  code: "user_erased";
}

export const USER_ERASED: UserErased = { ok: false, code: "user_erased" };
