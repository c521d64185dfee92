import { useState } from "preact/hooks";
import type { PartnerSettings } from "../../partners/settings.ts";
import { Api, type Problem } from "../api.ts";
import { ProblemBox } from "../parts/page.tsx";
import type { Session } from "../session.ts";

const WRONG_KEY = {
  title: "The partner id and the key do not match",
  detail: "Check both for typing errors. The key may also have expired: ask us for a new one.",
};

export function SignIn({ onSignIn }: { onSignIn: (session: Session) => void }) {
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
        <div class="brand">
          <span class="mark" aria-hidden="true" />
          Partner console
        </div>
        <h1>Sign in</h1>
        <p class="soft">Enter your partner id and one of your keys. They are stored in this tab only.</p>
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
