import { useEffect, useState } from "preact/hooks";
import type { PartnerSettings } from "../../partners/settings.ts";
import { Api, type Problem } from "../api.ts";
import { Brand } from "../parts/brand.tsx";
import { ProblemBox } from "../parts/page.tsx";
import type { Session, SessionEnd } from "../session.ts";

const WRONG_KEY = {
  title: "The partner id and the key do not match",
  detail: "Check both for typos. The key may also have expired: ask us for a new one.",
};

const ENDED: Readonly<Record<SessionEnd, string>> = {
  signed_out: "You signed out.",
  signed_out_elsewhere: "You signed out in another tab.",
  rejected: "Your session ended: the key has expired or was revoked. Sign in with another key.",
};

/** The sign-in form. `ended` says why a session ended before. */
export function SignIn({
  ended,
  onSignIn,
}: {
  ended: SessionEnd | null;
  onSignIn: (session: Session) => void;
}) {
  useEffect(() => {
    document.title = "Sign in · Partner console";
  }, []);
  const [partnerId, setPartnerId] = useState("");
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const signIn = async () => {
    setBusy(true);
    const session = { partnerId: partnerId.trim(), key: key.trim() };
    const result = await new Api(session, () => undefined).get<PartnerSettings>("/api/partner/");
    setBusy(false);
    if (result.ok) onSignIn(session);
    else if (result.problem.code === "unauthorized") setProblem({ ...result.problem, ...WRONG_KEY });
    else setProblem(result.problem);
  };
  return (
    <main class="signin">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void signIn();
        }}
      >
        <Brand />
        <h1>Sign in</h1>
        {ended !== null && (
          <p class="note" role="status">
            {ENDED[ended]}
          </p>
        )}
        <p class="soft">
          Enter your partner id and one of your keys. They are kept while tabs of the console are open.
        </p>
        <label class="field">
          Partner id
          <input
            required
            name="partner"
            autocomplete="username"
            value={partnerId}
            onInput={(event) => setPartnerId(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          Key
          <input
            required
            type="password"
            name="key"
            autocomplete="current-password"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
        <ProblemBox problem={problem} />
        <p class="soft">
          No key yet? Start with the <a href="/docs/">documentation</a>.
        </p>
      </form>
    </main>
  );
}
