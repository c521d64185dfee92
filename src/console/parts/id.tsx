import { addressOf } from "../router.ts";
import { CopyButton } from "./copy.tsx";

/**
 * An id or another value for machines, with a button that copies it. `what` names it: "file id". It is never broken: where
 * it does not fit, its end is cut off.
 */
export function Id({ id, what, href }: { id: string; what: string; href?: string }) {
  return (
    <span class="id">
      <code title={id}>{href === undefined ? id : <a href={href}>{id}</a>}</code>
      <CopyButton text={id} what={what} />
    </span>
  );
}

/** The id of a user, as a link to the user's page. */
export function UserLink({ id }: { id: string }) {
  return (
    <a class="name" href={addressOf(["users", id])}>
      {id}
    </a>
  );
}
