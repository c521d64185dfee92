import { useEffect, useState } from "preact/hooks";
import { withQuery } from "./withQuery.ts";

/** An address in the console: `#/files/abc?status=failed`. */
export interface Place {
  parts: string[];
  query: Record<string, string>;
}

/** Returns the decoded part, or the part itself when it is not valid percent-encoding, such as `%`. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function currentPlace(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path
      .split("/")
      .filter((part) => part !== "")
      .map(decodePart),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

export function usePlace(): Place {
  const [place, setPlace] = useState(currentPlace);
  useEffect(() => {
    const update = () => setPlace(currentPlace());
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return place;
}

export function addressOf(parts: readonly string[], query: Readonly<Record<string, string>> = {}): string {
  return withQuery(`#/${parts.map(encodeURIComponent).join("/")}`, query);
}

export function go(parts: readonly string[], query: Readonly<Record<string, string>> = {}): void {
  location.hash = addressOf(parts, query);
}
