import { useEffect, useState } from "preact/hooks";
import { withQuery } from "./withQuery.ts";

/** A place in the console: `#/files/abc?status=failed`. */
export interface Place {
  parts: string[];
  query: Record<string, string>;
}

/** A part of an address that nobody has encoded, such as `%`, names itself: the place is then an unknown one. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function placeNow(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path
      .split("/")
      .filter((part) => part !== "")
      .map(decoded),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

export function usePlace(): Place {
  const [place, setPlace] = useState(placeNow);
  useEffect(() => {
    const moved = () => setPlace(placeNow());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return place;
}

export function addressOf(parts: readonly string[], query: Readonly<Record<string, string>> = {}): string {
  return withQuery(`#/${parts.map(encodeURIComponent).join("/")}`, query);
}

export function go(parts: readonly string[], query: Readonly<Record<string, string>> = {}): void {
  location.hash = addressOf(parts, query);
}
