import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Api, Problem } from "../api.ts";
import {
  findById,
  findFiles,
  findPages,
  findUsers,
  hasId,
  SEARCHED_FILES,
  SearchError,
  type Hit,
} from "../find.ts";
import { number } from "../format.ts";
import type { Place } from "../router.ts";
import { Icon } from "./icon.tsx";
import { ProblemBox } from "./page.tsx";

/** Time without a further letter after which the search begins. */
const PAUSE_MS = 200;

/** A button and keys (⌘K, Ctrl+K and /) that open the search. */
export function Search({ api, place }: { api: Api; place: Place }) {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping =
        event.target instanceof Element && event.target.closest("input, select, textarea, dialog") !== null;
      const isShortcut = (event.metaKey || event.ctrlKey) && !event.altKey && event.key.toLowerCase() === "k";
      if (!isShortcut && (event.key !== "/" || isTyping || event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      setOpen(true);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const [section, userId = ""] = place.parts;
  return (
    <>
      <button type="button" class="find" aria-keyshortcuts="Meta+K Control+K /" onClick={() => setOpen(true)}>
        <Icon name="search" />
        <span>
          Search<span class="more"> files, users and ids</span>
        </span>
        <kbd aria-hidden="true">/</kbd>
      </button>
      {isOpen && (
        <SearchDialog api={api} userId={section === "users" ? userId : ""} onClose={() => setOpen(false)} />
      )}
    </>
  );
}

interface Found {
  text: string;
  /** Things that an id names, users and pages. */
  first: Hit[];
  files: Hit[];
  /** What came of the search for files. Null while it runs. */
  searched: { searched: number; isAll: boolean } | null;
  problem: Problem | null;
}

const NOTHING: Found = { text: "", first: [], files: [], searched: null, problem: null };

/** Searches for the text. Opens what an id names at once. */
function useFound(api: Api, text: string, userId: string, open: (hit: Hit) => void): Found {
  const [found, setFound] = useState(NOTHING);
  useEffect(() => {
    let isCurrent = true;
    const search = async () => {
      if (hasId(text)) {
        const [hit, other] = await findById(api, text);
        if (!isCurrent) return;
        if (hit !== undefined && other === undefined) return open(hit);
        return setFound({
          text,
          first: hit === undefined ? [] : [hit],
          files: [],
          searched: { searched: 0, isAll: true },
          problem: null,
        });
      }
      const first = [...(await findUsers(api, text)), ...findPages(text)];
      if (!isCurrent) return;
      setFound({ text, first, files: [], searched: null, problem: null });
      const onHits = (files: Hit[]) => setFound((before) => ({ ...before, files }));
      const searched = await findFiles(api, text, userId, onHits, () => isCurrent);
      if (isCurrent) setFound((before) => ({ ...before, searched }));
    };
    const failed = (fault: unknown) => {
      if (!(fault instanceof SearchError)) throw fault;
      if (isCurrent)
        setFound((before) => ({
          ...(before.text === text ? before : NOTHING),
          text,
          problem: fault.problem,
        }));
    };
    const timer = setTimeout(() => void (text === "" ? setFound(NOTHING) : search().catch(failed)), PAUSE_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [api, text, userId]);
  return found;
}

function SearchDialog({ api, userId, onClose }: { api: Api; userId: string; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [within, setWithin] = useState(userId);
  const [at, setAt] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const open = (hit: Hit) => {
    dialog.current?.close();
    location.hash = hit.href;
  };
  const found = useFound(api, typed.trim(), within, open);
  const hits = [...found.first, ...found.files];
  const current = Math.min(at, hits.length - 1);
  // Before the next key: its letter belongs into the field.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  useEffect(() => setAt(0), [found.text]);
  /** The text for which Enter was pressed before anything was found. */
  const [entered, setEntered] = useState<string | null>(null);
  useEffect(() => {
    const [hit] = hits;
    if (hit !== undefined && entered === typed && found.text === typed.trim()) open(hit);
  }, [entered, found]);
  useEffect(() => {
    dialog.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [current]);
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const hit = hits[current];
    if (step !== 0 && hits.length > 0) setAt((current + step + hits.length) % hits.length);
    else if (event.key === "Enter") {
      if (hit !== undefined && found.text === typed.trim()) open(hit);
      else setEntered(typed);
    } else return;
    event.preventDefault();
  };
  return (
    <dialog
      ref={dialog}
      class="search"
      aria-label="Search"
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
    >
      <div class="field">
        <Icon name="search" />
        <input
          role="combobox"
          aria-label="Search files, users and ids"
          aria-expanded={hits.length > 0}
          aria-controls="hits"
          aria-activedescendant={hits.length > 0 ? `hit-${current}` : undefined}
          placeholder="Name of a file, user, or any id"
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={onKey}
        />
        <button type="button" class="copy" onClick={() => dialog.current?.close()}>
          <Icon name="close" />
          <span class="unseen">Close the search</span>
        </button>
      </div>
      {userId !== "" && (
        <label class="within">
          <input
            type="checkbox"
            checked={within !== ""}
            onChange={(event) => setWithin(event.currentTarget.checked ? userId : "")}
          />
          Only files of {userId}
        </label>
      )}
      <ul id="hits" role="listbox" aria-label="Search results">
        {hits.map((hit, index) => (
          <li
            key={hit.href}
            id={`hit-${index}`}
            role="option"
            aria-selected={index === current}
            onPointerMove={() => setAt(index)}
            onClick={() => open(hit)}
          >
            <Icon name={hit.icon} />
            <span class="title">{hit.title}</span>
            <span class="soft">{hit.detail === "" ? hit.kind : `${hit.kind} · ${hit.detail}`}</span>
          </li>
        ))}
      </ul>
      <p class="soft" role="status">
        {saidOf(typed.trim(), found, hits.length, within)}
      </p>
      <ProblemBox problem={found.problem} />
    </dialog>
  );
}

function saidOf(text: string, found: Found, hits: number, within: string): string {
  if (text === "") return "Paste a file, activity, import or event id, or type a name.";
  if (text !== found.text) return "Searching…";
  if (found.problem !== null) return "";
  if (found.searched === null) return "Searching…";
  if (hasId(text)) return hits === 0 ? "No file, activity, import or event has this id." : "";
  const { isAll } = found.searched;
  const place = within === "" ? `the newest ${number(SEARCHED_FILES)} files` : `the files of ${within}`;
  if (hits === 0) return `No user or page has this name, and no file among ${isAll ? "your files" : place}.`;
  return isAll ? "" : `Searched ${place}.`;
}
