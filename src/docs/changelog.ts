import { DEPRECATIONS } from "../contract/deprecations.ts";
import { framed } from "./frame.ts";
import { escape, prose, table } from "./html.ts";

export const CHANGE_KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed"] as const;

/** A published version of the contract. */
export interface Release {
  version: string;
  /** Day of the publication, such as `2026-11-29`. */
  date: string;
  /** Changes by kind, as sentences with `backticks` around code. */
  changes: Partial<Readonly<Record<(typeof CHANGE_KINDS)[number], readonly string[]>>>;
}

/** All published versions, newest first. `npm run publish-contract` requires an entry for the current version. */
export const RELEASES: readonly Release[] = [
  {
    version: "1.0.0",
    date: "2026-11-29",
    changes: {
      Added: [
        "Pings and tasks: `POST /api/fit_partner_ping/` and `POST /api/task_partner/`.",
        "Files, activities with streams and beat-to-beat intervals, imports with reports, users and the overview.",
        "The training baseline of a user, and the canonical recording of each ride.",
        "Edits of files and activities, retries, cancellations and deletions.",
        "Signed events for endpoints, with attempts, holds and recovery.",
        "Keys, settings and usage by day: `/api/keys/`, `/api/partner/` and `/api/usage/`.",
        "`x-open-list` in the OpenAPI document: whether values may be added to a list.",
      ],
    },
  },
];

/** Returns the page at `/docs/changelog/`. */
export function renderChangelog(): string {
  const releases = RELEASES.map(({ version, date, changes }) => {
    const parts = CHANGE_KINDS.flatMap((kind) => {
      const lines = changes[kind] ?? [];
      const items = lines.map((line) => `<li>${prose(line)}</li>`).join("");
      return lines.length === 0 ? [] : [`<h3>${kind}</h3><ul>${items}</ul>`];
    });
    return `<section id="v${version}"><h2><a class="anchor" href="#v${version}">${escape(version)}</a></h2><p><time datetime="${date}">${date}</time></p>${parts.join("")}</section>`;
  });
  const rows = DEPRECATIONS.map(({ operation, since, sunset, replacement }) => [
    `<code>${escape(operation)}</code>`,
    since,
    sunset,
    prose(replacement),
  ]);
  const deprecated =
    rows.length === 0
      ? "<p>No operation is deprecated.</p>"
      : table(["Operation", "Deprecated since", "Works until", "Use instead"], rows);
  const body = `<main id="content" class="narrow"><h1>Changelog</h1>
<p>Changes by version of the contract. <a href="/docs/#compatibility">Compatibility</a> says which changes may come without notice and what a client must tolerate.</p>
<section id="deprecated"><h2>Deprecated operations</h2>${deprecated}</section>
${releases.join("\n")}
</main>`;
  return framed({
    title: "Partner API: changelog",
    description: "Changes of the partner API by version.",
    body,
  });
}
