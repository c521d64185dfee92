import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Api } from "./api.ts";
import { Empty, Heading } from "./parts/page.tsx";
import { addressOf, usePlace, type Place } from "./router.ts";
import { endSession, keepSession, readSession, type Session } from "./session.ts";
import { ActivitiesView } from "./views/activities.tsx";
import { ActivityView } from "./views/activity.tsx";
import { CheckView } from "./views/checkIntegration.tsx";
import { EventsView, EventView } from "./views/events.tsx";
import { FileView } from "./views/file.tsx";
import { FilesView } from "./views/files.tsx";
import { ImportsView, ImportView } from "./views/imports.tsx";
import { OverviewView } from "./views/overview.tsx";
import { SignIn } from "./views/signIn.tsx";
import { TryItView } from "./views/tryIt.tsx";

const ROOMS = [
  ["overview", "Overview"],
  ["imports", "Imports"],
  ["files", "Files"],
  ["activities", "Activities"],
  ["events", "Events"],
  ["try", "Try it"],
  ["check", "Check my integration"],
] as const;

function View({ api, place }: { api: Api; place: Place }) {
  const [room = "overview", id] = place.parts;
  switch (room) {
    case "overview":
      return <OverviewView api={api} />;
    case "imports":
      return id === undefined ? <ImportsView api={api} place={place} /> : <ImportView api={api} id={id} />;
    case "files":
      return id === undefined ? <FilesView api={api} place={place} /> : <FileView api={api} id={id} />;
    case "activities":
      return id === undefined ? (
        <ActivitiesView api={api} place={place} />
      ) : (
        <ActivityView api={api} id={id} />
      );
    case "events":
      return id === undefined ? <EventsView api={api} place={place} /> : <EventView api={api} id={id} />;
    case "try":
      return <TryItView api={api} />;
    case "check":
      return <CheckView api={api} />;
    default:
      return (
        <>
          <Heading title="Nothing here" />
          <Empty>There is no such page.</Empty>
        </>
      );
  }
}

export function App() {
  const place = usePlace();
  const [session, setSession] = useState<Session | null>(readSession);
  const signOut = () => {
    endSession();
    setSession(null);
  };
  const api = useMemo(() => (session === null ? null : new Api(session, signOut)), [session]);
  const main = useRef<HTMLElement>(null);
  const room = place.parts[0] ?? "overview";
  const name = ROOMS.find(([id]) => id === room)?.[1] ?? "Console";
  const where = place.parts.join("/");
  const before = useRef(where);
  useEffect(() => {
    document.title = api === null ? "Sign in · Partner console" : `${name} · Partner console`;
    // Who moves by keyboard, or listens, goes on where the new page begins.
    if (before.current !== where) main.current?.querySelector<HTMLElement>("h1")?.focus();
    before.current = where;
  }, [where, name, api]);
  if (api === null) {
    return (
      <SignIn
        onSignIn={(signedIn) => {
          keepSession(signedIn);
          setSession(signedIn);
        }}
      />
    );
  }
  return (
    <>
      <button class="skip" type="button" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <div class="brand">
          <span class="mark" aria-hidden="true" />
          Partner console
        </div>
        <nav aria-label="Console">
          <ul>
            {ROOMS.map(([id, title]) => (
              <li key={id}>
                <a href={addressOf([id])} aria-current={id === room ? "page" : undefined}>
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="who">
          <span title="Partner id">{api.partnerId}</span>
          <a href="/docs/">Docs</a>
          <button type="button" class="plain" onClick={signOut}>
            Sign out
          </button>
        </div>
      </header>
      <main ref={main} tabIndex={-1}>
        <View key={where} api={api} place={place} />
      </main>
    </>
  );
}
