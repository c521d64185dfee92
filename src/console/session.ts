/** Credentials of the signed-in partner. Stored for this tab only, and given to other open tabs. Never in an address. */
export interface Session {
  partnerId: string;
  key: string;
}

/** Why a session ended. */
export type SessionEnd = "signed_out" | "signed_out_elsewhere" | "rejected";

const STORAGE_KEY = "partner-console";
/** How long a new tab waits for a session before it shows the sign-in form. */
const WAIT_MS = 200;

/** What the tabs of this origin send to each other. A broadcast is not stored anywhere. */
type Message = { ask: string } | { session: Session; to: string } | { ended: Session };

export function readSession(): Session | null {
  const [partnerId, key] = (sessionStorage.getItem(STORAGE_KEY) ?? "").split("\n");
  return partnerId && key ? { partnerId, key } : null;
}

export function storeSession({ partnerId, key }: Session): void {
  sessionStorage.setItem(STORAGE_KEY, `${partnerId}\n${key}`);
}

export function endSession(): void {
  sessionStorage.removeItem(STORAGE_KEY);
}

/**
 * Asks the other tabs for their session if this one has none, and gives this tab's session to tabs that ask. Calls
 * `onSession` with the session of another tab, or with null if none came in time, and `onEnded` when the person has signed
 * out in another tab.
 */
export function shareSession({
  onSession,
  onEnded,
}: {
  onSession: (session: Session | null) => void;
  onEnded: () => void;
}): { tellEnded: (session: Session) => void; stop: () => void } {
  const channel = new BroadcastChannel(STORAGE_KEY);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel reaches this origin only
  const send = (message: Message) => channel.postMessage(message);
  let asked: string | null = null;
  const received = (session: Session | null) => {
    asked = null;
    onSession(session);
  };
  channel.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    const own = readSession();
    if ("ask" in data) {
      if (own !== null) send({ session: own, to: data.ask });
    } else if ("session" in data) {
      if (data.to === asked) received(data.session);
    } else if (own?.partnerId === data.ended.partnerId && own.key === data.ended.key) onEnded();
  });
  if (readSession() === null) {
    asked = String(Math.random());
    send({ ask: asked });
  }
  const timer = setTimeout(() => asked !== null && received(null), WAIT_MS);
  return {
    tellEnded: (session) => send({ ended: session }),
    stop: () => {
      clearTimeout(timer);
      channel.close();
    },
  };
}
