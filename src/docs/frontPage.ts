import { requestTabs } from "./code.ts";
import { INFO } from "./document.ts";
import { framed } from "./frame.ts";
import { FIRST_PING } from "./smallRide.ts";
import { escape } from "./html.ts";

const LINKS = [
  ["/docs/", "Documentation", "The guide and the reference, with listings in curl, TypeScript and Python."],
  ["/console/", "Console", "Your imports, files, activities and events, and a check of your integration."],
  ["/openapi.json", "OpenAPI document", "The contract for generated clients, in OpenAPI 3.1."],
  ["/docs/changelog/", "Changelog", "What each version added, changed or deprecated."],
  ["/health/", "Health", "Whether the service is available, and its version."],
  ["/llms.txt", "llms.txt", "An index for language models, with the guide in Markdown."],
] as const;

/** Returns the page at `/`. */
export function renderFrontPage(): string {
  const cards = LINKS.map(
    ([address, title, words]) =>
      `<li><a href="${address}"><strong>${escape(title)}</strong><span>${escape(words)}</span></a></li>`,
  );
  const ping = requestTabs(
    { method: "POST", path: "/api/fit_partner_ping/", json: FIRST_PING },
    "front-ping",
  );
  const { title, summary } = INFO;
  const body = `<main id="content" class="narrow"><h1>${escape(title)}</h1>
<p class="lead">${escape(summary)}</p>
<p>You announce FIT files with pings. The service downloads each file, stores it unchanged, and decodes it into activities that you can read.</p>
<ul class="cards">${cards.join("")}</ul>
<h2>Send a first ride</h2>
<p>Set <code>PARTNER_ID</code> and <code>AUTH_KEY</code> in the environment, then run this listing. The <a href="/docs/#first-ping">guide</a> says how to read the activity.</p>
${ping}
</main>`;
  return framed({ title, description: summary, body });
}
