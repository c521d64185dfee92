import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Api } from "./api.ts";
import { Brand } from "./parts/brand.tsx";
import { Empty, Heading } from "./parts/page.tsx";
import { Search } from "./parts/search.tsx";
import { ExactTime } from "./parts/when.tsx";
import { SECTIONS } from "./sections.ts";
import { addressOf, currentVisit, forgetVisits, usePlace, type Place } from "./router.ts";
import {
  endSession,
  readSession,
  shareSession,
  storeSession,
  type Session,
  type SessionEnd,
} from "./session.ts";
import { ActivitiesView } from "./views/activities.tsx";
import { ActivityView } from "./views/activity.tsx";
import { CheckView } from "./views/checkIntegration.tsx";
import { EventsView, EventView } from "./views/events.tsx";
import { FileView } from "./views/file.tsx";
import { FilesView } from "./views/files.tsx";
import { ImportsView, ImportView } from "./views/imports.tsx";
import { OverviewView } from "./views/overview.tsx";
import { EndpointView } from "./views/endpoint.tsx";
import { SettingsView } from "./views/settings.tsx";
import { SignIn } from "./views/signIn.tsx";
import { TryItView } from "./views/tryIt.tsx";
import { UserView } from "./views/user.tsx";
import { UsersView } from "./views/users.tsx";

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
    case "users":
      return id === undefined ? (
        <UsersView api={api} place={place} />
      ) : (
        <UserView api={api} place={place} id={id} />
      );
    case "settings":
      return id === undefined ? <SettingsView api={api} /> : <EndpointView api={api} id={id} />;
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

/** The session of this tab: of its storage, or of another tab. `undefined` while other tabs are asked. */
function useSession() {
  const [session, setSession] = useState<Session | null | undefined>(() => readSession() ?? undefined);
  const [ended, setEnded] = useState<SessionEnd | null>(null);
  const shared = useRef<ReturnType<typeof shareSession> | null>(null);
  const signIn = (signedIn: Session) => {
    storeSession(signedIn);
    setSession(signedIn);
  };
  const end = (why: SessionEnd) => {
    const own = readSession();
    if (why === "signed_out" && own !== null) shared.current?.tellEnded(own);
    endSession();
    forgetVisits();
    setEnded(why);
    setSession(null);
  };
  useEffect(() => {
    shared.current = shareSession({
      onSession: (found) => (found === null ? setSession((own) => own ?? null) : signIn(found)),
      onEnded: () => end("signed_out_elsewhere"),
    });
    return () => shared.current?.stop();
  }, []);
  return { session, ended, signIn, end };
}

/** Moves the focus and the scroll position to the start of a new page, or to where a page was left that Back returns to. */
function useArrival(main: { current: HTMLElement | null }, place: Place, isSignedIn: boolean): void {
  const path = place.parts.join("/");
  const previousPath = useRef(path);
  useLayoutEffect(() => {
    const { scroll, left } = currentVisit();
    scrollTo(0, scroll);
    if (previousPath.current !== path) {
      const link =
        left === null ? null : main.current?.querySelector<HTMLElement>(`a[href="${CSS.escape(left)}"]`);
      (link ?? main.current?.querySelector<HTMLElement>("h1"))?.focus({ preventScroll: true });
    }
    previousPath.current = path;
  }, [place, isSignedIn]);
}

export function App() {
  const place = usePlace();
  const { session, ended, signIn, end } = useSession();
  const api = useMemo(() => (session == null ? null : new Api(session, () => end("rejected"))), [session]);
  const main = useRef<HTMLElement>(null);
  const section = place.parts[0] ?? "overview";
  const path = place.parts.join("/");
  useArrival(main, place, api !== null);
  if (session === undefined) return null;
  if (api === null) return <SignIn ended={ended} onSignIn={signIn} />;
  return (
    <>
      <button class="skip" type="button" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="top">
        <div class="bar">
          <Brand />
          <Search api={api} place={place} />
          <div class="who">
            <span class="partner" title="Partner ID">
              {api.partnerId}
            </span>
            <a href="/docs/">Docs</a>
            <button type="button" class="plain" onClick={() => end("signed_out")}>
              Sign out
            </button>
          </div>
        </div>
        <Navigation section={section} />
      </header>
      <main ref={main} tabIndex={-1}>
        <View key={path} api={api} place={place} />
      </main>
      <ExactTime />
    </>
  );
}

/** One row of links, which scrolls sideways where it does not fit. */
function Navigation({ section }: { section: string }) {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [section]);
  return (
    <nav ref={nav} aria-label="Console">
      <ul>
        {SECTIONS.map(([id, title]) => (
          <li key={id}>
            <a href={addressOf([id])} data-title={title} aria-current={id === section ? "page" : undefined}>
              {title}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
