import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

/** How long the button says what came of a click. */
const SAID_MS = 2_000;

/** A button that copies `text`. `what` names it: "file id". Shows its name when `isNamed`, else only a drawing. */
export function CopyButton({
  text,
  what,
  isNamed = false,
}: {
  text: string;
  what: string;
  isNamed?: boolean;
}) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "") return undefined;
    const timer = setTimeout(() => setSaid(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("Not copied");
    }
  };
  return (
    <>
      <button type="button" class={isNamed ? "small" : "copy"} onClick={() => void copy()}>
        <Icon name={said === "Copied" ? "check" : "copy"} />
        {isNamed ? `Copy ${what}` : <span class="unseen">Copy the {what}</span>}
      </button>
      <span class="said" role="status">
        {said}
      </span>
    </>
  );
}
