import { readFile, writeFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import path from "node:path";
import process from "node:process";
import type { OpenAPIObject } from "openapi3-ts/oas31";
import { API_VERSION } from "../../contract/version.ts";
import { exitWith, readFlags, refuse, ROOT } from "../commandLine.ts";

/**
 * npm run publish-contract [-- --replace]: stores the OpenAPI document as the published one. `npm run check` runs this file
 * without `--publish`: it fails if the current document breaks clients of the published one.
 */
const flags = readFlags({
  options: {
    publish: { type: "boolean", default: false },
    /** Replaces the published document without a comparison, for a version that no partner has used. */
    replace: { type: "boolean", default: false },
  },
});
if (!flags.ok) exitWith(flags);
const { publish, replace } = flags.values;

const PUBLISHED = path.join(ROOT, "src/docs/changes/published.json");

// The document is made of the Worker's routes. Their modules import the platform's, which Node does not have.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "cloudflare:workers"
      ? { url: "data:text/javascript,export class DurableObject {}", shortCircuit: true }
      : next(specifier, context),
});
const [{ describe }, { app }, { contractOf, contractProblems }, { RELEASES }] = await Promise.all([
  import("../../docs/document.ts"),
  import("../../http/app.ts"),
  import("../../docs/changes/publication.pure.ts"),
  import("../../docs/changelog.ts"),
]);

const current = describe(app);
if (!replace) {
  const published: OpenAPIObject = JSON.parse(await readFile(PUBLISHED, "utf8"));
  const problems = contractProblems(published, current, new Date().toISOString().slice(0, 10));
  if (problems.length > 0) {
    exitWith(
      refuse(
        [
          `The OpenAPI document breaks clients of the published version ${published.info.version}:`,
          ...problems.map((problem) => `  ${problem}`),
          "Keep the old form. If no partner has used the published version yet, run: npm run publish-contract -- --replace",
        ].join("\n"),
      ),
    );
  }
}
if (publish) {
  if (RELEASES[0]?.version !== API_VERSION) {
    exitWith(
      refuse(`src/docs/changelog.ts has no entry for version ${API_VERSION}. Add one at its beginning.`),
    );
  }
  await writeFile(PUBLISHED, `${JSON.stringify(contractOf(current), null, 1)}\n`);
  console.log(
    `Version ${API_VERSION} is published in ${path.relative(process.cwd(), PUBLISHED)}. Commit the file.`,
  );
}
