import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Api } from "./api.ts";
import { Empty, Heading } from "./parts/page.tsx";
import { ExactTime } from "./parts/when.tsx";
import { addressOf, usePlace, type Place } from "./router.ts";
import { endSession, storeSession, readSession, type Session } from "./session.ts";
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

const SECTIONS = [
  ["overview", "Overview"],
  ["imports", "Imports"],
  ["files", "Files"],
  ["activities", "Activities"],
  ["events", "Events"],
  ["try", "Try it"],
  ["check", "Check my integration"],
] as const;

function View({ api, place }: { api: Api; place: Place }) {
  const [section = "overview", id] = place.parts;
  switch (section) {
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
          <Heading title="Page not found" />
          <Empty>The console has no page at this address.</Empty>
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
  const section = place.parts[0] ?? "overview";
  const path = place.parts.join("/");
  const previousPath = useRef(path);
  useEffect(() => {
    if (api === null) document.title = "Sign in · Partner console";
    // Moves the focus of keyboard and screen reader users to the start of the new page.
    if (previousPath.current !== path) main.current?.querySelector<HTMLElement>("h1")?.focus();
    previousPath.current = path;
  }, [path, api]);
  if (api === null) {
    return (
      <SignIn
        onSignIn={(signedIn) => {
          storeSession(signedIn);
          setSession(signedIn);
        }}
      />
    );
  }
  return (
    <>
      <button class="skip" type="button" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="top">
        <div class="brand">
          <span class="mark" aria-hidden="true" />
          Partner console
        </div>
        <nav aria-label="Console">
          <ul>
            {SECTIONS.map(([id, title]) => (
              <li key={id}>
                <a href={addressOf([id])} aria-current={id === section ? "page" : undefined}>
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
        <View key={path} api={api} place={place} />
      </main>
      <ExactTime />
    </>
  );
}
