// Builds the console into .console/, which the platform serves as static assets: node src/console/build.mjs
// Plain JavaScript, because wrangler runs it with the Node of the machine.
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { favicon, ICON_SVG } from "./favicon.mjs";

const source = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const assets = path.join(source, "..", "..", ".console");

/** Allows scripts, styles and requests from this service only. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
/** Same value as in `src/http/transport.ts`. A test compares the two. */
const STRICT_TRANSPORT_SECURITY = "max-age=63072000";
const HEADERS = `/*
  Strict-Transport-Security: ${STRICT_TRANSPORT_SECURITY}
/console/*
  Content-Security-Policy: ${POLICY}
  Referrer-Policy: no-referrer
  X-Content-Type-Options: nosniff
  Cache-Control: no-cache
`;

await mkdir(path.join(assets, "console"), { recursive: true });
await build({
  entryPoints: { app: path.join(source, "main.tsx"), style: path.join(source, "style.css") },
  outdir: path.join(assets, "console"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
});
await cp(path.join(source, "index.html"), path.join(assets, "console", "index.html"));
await writeFile(path.join(assets, "console", "icon.svg"), ICON_SVG);
await writeFile(path.join(assets, "favicon.ico"), favicon());
await writeFile(path.join(assets, "_headers"), HEADERS);
await rm(path.join(assets, "console", "app.css"), { force: true });
