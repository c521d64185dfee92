/**
 * The request's user was erased after the request had begun. Nothing of the request is stored for this user. When the
 * partner sends the request again, the user is new.
 */
export interface UserErased {
  ok: false;
  code: "user_erased";
}

export const USER_ERASED: UserErased = { ok: false, code: "user_erased" };
