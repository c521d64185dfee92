import { CopyButton } from "./copy.tsx";

/** A new secret, which is shown once. `what` names it: "secret". Leaves the page when the person has stored it. */
export function Revealed({ secret, what, onStored }: { secret: string; what: string; onStored: () => void }) {
  return (
    <div class="note revealed" role="status">
      <strong>Your new {what}. It is shown only once.</strong>
      <code>{secret}</code>
      <div class="action">
        <CopyButton text={secret} what={what} isNamed />
        <button type="button" class="small" onClick={onStored}>
          I stored it
        </button>
      </div>
    </div>
  );
}
