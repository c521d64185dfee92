import { randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { listenOnLoopback } from "./loopback.ts";

interface Call {
  method: string;
  /** Path after the account, such as `/d1/database`. */
  path: string;
  query: URLSearchParams;
  body: Buffer;
  contentType: string;
  /** Header `cf-r2-jurisdiction`. */
  jurisdiction: string | undefined;
}

interface Binding {
  name: string;
  type: string;
  text?: string;
  /** Of a database. */
  id?: string;
  namespace_id?: string;
  bucket_name?: string;
  jurisdiction?: string;
}

/** A version of the Worker, as it was uploaded. */
export interface UploadedVersion {
  id: string;
  metadata: Record<string, unknown>;
}

export interface Deployment {
  versionId: string;
  codeUpdateStrategy: unknown;
  createdAt: string;
}

type Answer =
  | { result: unknown; cursor?: string }
  | { raw: string | Buffer }
  | { status: number; code: number; message: string };
type Handler = (call: Call, ...parts: string[]) => Answer;

const ACCOUNT = "0123456789abcdef0123456789abcdef";
const ADDRESS = "acme-sub";

const ok = (result: unknown): Answer => ({ result });
const missing = (code: number, message: string): Answer => ({ status: 404, code, message });

/**
 * Plays Cloudflare's API for one account and one Worker, as far as a deployment and the operator's commands use it:
 * databases in SQLite, namespaces, buckets, queues, secrets, versions and deployments in memory. It is written from the
 * requests that wrangler sends and from Cloudflare's reference, so it proves what this repository sends, not what
 * Cloudflare accepts.
 */
export class CloudflareApi {
  readonly databases = new Map<string, { name: string; sqlite: DatabaseSync }>();
  readonly namespaces = new Map<string, { title: string; values: Map<string, string> }>();
  readonly buckets = new Set<string>();
  /** Jurisdictions by bucket. A bucket in one is found only with it. */
  readonly jurisdictions = new Map<string, string>();
  readonly queues = new Map<string, { name: string; consumers: string[] }>();
  readonly versions: UploadedVersion[] = [];
  readonly deployments: Deployment[] = [];
  readonly secrets = new Map<string, string>();
  /** Requests in order, as `POST /d1/database`, with `…` for ids. */
  readonly requests: string[] = [];
  /** Objects by bucket and key. */
  readonly objects = new Map<string, Buffer>();
  /** Number of keys of a namespace that one page lists. */
  keysPerPage = 1_000;
  /** Number of requests that get status 429 next. They are not recorded. */
  throttled = 0;
  /** Requests that no route matches. */
  readonly unknown: string[] = [];
  /** Requests that begin with a key of this map fail with this message. */
  readonly failures = new Map<string, string>();
  url = "";
  close: () => Promise<void> = async () => {};

  static async start(): Promise<CloudflareApi> {
    const api = new CloudflareApi();
    const server = await listenOnLoopback((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        if (api.throttled > 0) {
          api.throttled -= 1;
          return void response.writeHead(429, { "retry-after": "0" }).end("{}");
        }
        const { pathname, searchParams } = new URL(request.url ?? "/", "http://api");
        const answer = api.#answer({
          method: request.method ?? "GET",
          path: pathname.replace(/^\/client\/v4/, "").replace(`/accounts/${ACCOUNT}/`, "/"),
          query: searchParams,
          body: Buffer.concat(parts),
          contentType: request.headers["content-type"] ?? "",
          jurisdiction: request.headers["cf-r2-jurisdiction"]?.toString(),
        });
        if ("raw" in answer) return void response.end(answer.raw);
        const failed = "code" in answer;
        response.writeHead(failed ? answer.status : 200, { "content-type": "application/json" }).end(
          JSON.stringify({
            success: !failed,
            errors: failed ? [{ code: answer.code, message: answer.message }] : [],
            messages: [],
            result: failed ? null : answer.result,
            result_info: {
              page: 1,
              per_page: 100,
              total_pages: 1,
              count: 0,
              total_count: 0,
              cursor: failed ? "" : (answer.cursor ?? ""),
            },
          }),
        );
      });
    });
    api.url = `${server.url}/client/v4`;
    api.close = async () => server.close();
    return api;
  }

  /** Environment variables with which wrangler calls this API. */
  get environment(): Record<string, string> {
    return {
      CLOUDFLARE_API_BASE_URL: this.url,
      CLOUDFLARE_API_TOKEN: "token",
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
      CI: "true",
      WRANGLER_WRITE_LOGS: "false",
    };
  }

  /**
   * Adds a deployed Worker with a namespace, a bucket and these databases, as a deployment leaves them. Returns the
   * databases by binding.
   */
  addWorker(migrations: readonly string[], databases = ["DB", "DB_2"]): Map<string, DatabaseSync> {
    this.namespaces.set("namespace", { title: "partner-api-partners", values: new Map() });
    this.buckets.add("partner-api-files");
    const bindings: Binding[] = [
      { name: "PARTNERS", type: "kv_namespace", namespace_id: "namespace" },
      { name: "FILES", type: "r2_bucket", bucket_name: "partner-api-files" },
    ];
    const opened = new Map<string, DatabaseSync>();
    for (const name of databases) {
      const sqlite = new DatabaseSync(":memory:");
      for (const migration of migrations) sqlite.exec(migration);
      opened.set(name, sqlite);
      const id = randomUUID();
      this.databases.set(id, { name, sqlite });
      bindings.push({ name, type: "d1", id });
    }
    this.versions.push({ id: randomUUID(), metadata: { bindings } });
    return opened;
  }

  /** Returns the value of a key in the only namespace. */
  kv(key: string): string | null {
    return [...this.namespaces.values()][0]?.values.get(key) ?? null;
  }

  #answer(call: Call): Answer {
    const request = `${call.method} ${call.path}`;
    this.requests.push(request.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "…"));
    for (const [prefix, message] of this.failures) {
      if (request.startsWith(prefix)) return { status: 400, code: 10_000, message };
    }
    for (const [pattern, handler] of this.#routes) {
      const match = pattern.exec(request);
      if (match !== null) return handler(call, ...match.slice(1).map(decodeURIComponent));
    }
    this.unknown.push(request);
    return missing(7_003, `No route for ${request}`);
  }

  readonly #routes: readonly [RegExp, Handler][] = [
    [/^GET \/user$/, () => ok({ id: "user", email: "operator@example.com" })],
    [/^GET \/user\/tokens\/verify$/, () => ok({ id: "token", status: "active" })],
    [/^GET \/accounts$/, () => ok([{ id: ACCOUNT, name: "Acme" }])],
    [/^GET \/memberships$/, () => ok([{ id: "member", account: { id: ACCOUNT, name: "Acme" } }])],

    [/^GET \/d1\/database$/, ({ query }) => this.#listDatabases(query.get("name"))],
    [/^POST \/d1\/database$/, ({ body }) => this.#createDatabase(json(body)["name"])],
    [/^GET \/d1\/database\/([^/]+)$/, (_call, id) => this.#database(id)],
    [/^GET \/d1\/database\/([^/]+)\/time_travel\/bookmark$/, () => ok({ bookmark: "00000001-bookmark" })],
    [/^POST \/d1\/database\/([^/]+)\/query$/, ({ body }, id) => this.#query(id, json(body))],

    [
      /^GET \/storage\/kv\/namespaces$/,
      () => ok([...this.namespaces].map(([id, { title }]) => ({ id, title }))),
    ],
    [/^POST \/storage\/kv\/namespaces$/, ({ body }) => this.#createNamespace(String(json(body)["title"]))],
    [
      /^PUT \/storage\/kv\/namespaces\/([^/]+)\/values\/([^/]+)$/,
      (call, id, key) => this.#putValue(call, id, key),
    ],
    [
      /^POST \/storage\/kv\/namespaces\/([^/]+)\/bulk\/get$/,
      ({ body }, id = "") => {
        const { keys } = z.object({ keys: z.array(z.string()) }).parse(JSON.parse(body.toString()));
        const values = this.namespaces.get(id)?.values;
        return ok({ values: Object.fromEntries(keys.map((key) => [key, values?.get(key) ?? null])) });
      },
    ],
    [
      /^GET \/storage\/kv\/namespaces\/([^/]+)\/values\/([^/]+)$/,
      (_call, id = "", key = "") => {
        const raw = this.namespaces.get(id)?.values.get(key);
        return raw === undefined ? missing(10_009, "get: 'key not found'") : { raw };
      },
    ],
    [/^GET \/storage\/kv\/namespaces\/([^/]+)\/keys$/, ({ query }, id) => this.#listKeys(query, id)],
    [
      /^DELETE \/storage\/kv\/namespaces\/([^/]+)\/values\/([^/]+)$/,
      (_call, id = "", key = "") => ok(this.namespaces.get(id)?.values.delete(key)),
    ],

    [/^GET \/r2\/buckets$/, () => ok({ buckets: [...this.buckets].map((name) => ({ name })) })],
    [
      /^GET \/r2\/buckets\/([^/]+)$/,
      (_call, name = "") =>
        this.buckets.has(name) ? ok({ name }) : missing(10_006, "The specified bucket does not exist."),
    ],
    [
      /^POST \/r2\/buckets$/,
      ({ body }) => {
        this.buckets.add(String(json(body)["name"]));
        return ok({});
      },
    ],

    [
      /^GET \/r2\/buckets\/([^/]+)\/objects\/(.+)$/,
      ({ jurisdiction }, bucket = "", key = "") => {
        const isThere = jurisdiction === this.jurisdictions.get(bucket);
        const raw = isThere ? this.objects.get(`${bucket}/${key}`) : undefined;
        return raw === undefined ? missing(10_007, "The specified key does not exist.") : { raw };
      },
    ],

    [/^GET \/queues$/, ({ query }) => this.#listQueues(query.get("name"))],
    [/^POST \/queues$/, ({ body }) => this.#createQueue(String(json(body)["queue_name"]))],
    [/^GET \/queues\/([^/]+)\/consumers$/, (_call, id = "") => ok(this.#consumersOf(id))],
    [/^POST \/queues\/([^/]+)\/consumers$/, ({ body }, id) => this.#addConsumer(id, json(body))],
    [/^PUT \/queues\/([^/]+)\/consumers\/([^/]+)$/, ({ body }) => ok(json(body))],

    [/^GET \/workers\/scripts\/[^/]+\/deployments$/, () => this.#listDeployments()],
    [/^POST \/workers\/scripts\/[^/]+\/deployments$/, ({ body }) => this.#deploy(json(body))],
    [/^GET \/workers\/scripts\/[^/]+\/versions\/([^/]+)$/, (_call, id) => this.#version(id)],
    [
      /^GET \/workers\/scripts\/[^/]+\/versions$/,
      () => ok({ items: this.versions.map(({ id }) => ({ id })) }),
    ],
    [/^POST \/workers\/scripts\/[^/]+\/versions$/, (call) => this.#upload(call)],
    [/^PUT \/workers\/scripts\/[^/]+$/, (call) => this.#uploadAndDeploy(call)],
    [/^GET \/workers\/workers\/[^/]+$/, () => ok({ subdomain: { enabled: true, previews_enabled: false } })],
    [/^(?:GET|PATCH) \/workers\/scripts\/[^/]+\/script-settings$/, () => ok({})],
    [/^GET \/workers\/scripts\/[^/]+\/settings$/, () => ok({ bindings: this.bindings() })],
    [/^GET \/workers\/scripts\/[^/]+\/secrets$/, () => this.#listSecrets()],
    [/^GET \/workers\/scripts$/, () => ok([])],
    [
      /^(?:GET|POST) \/workers\/scripts\/[^/]+\/subdomain$/,
      () => ok({ enabled: true, previews_enabled: false }),
    ],
    [
      /^PUT \/workers\/scripts\/[^/]+\/schedules$/,
      ({ body }) => ok({ schedules: JSON.parse(body.toString()) }),
    ],
    [/^GET \/workers\/services\/([^/]+)$/, (_call, name) => this.#service(name)],
    [/^GET \/workers\/services\/[^/]+\/environments\/[^/]+\/bindings$/, () => ok(this.bindings())],
    [/^GET \/workers\/subdomain$/, () => ok({ subdomain: ADDRESS })],
    [/^POST \/workers\/scripts\/[^/]+\/assets-upload-session$/, () => ok({ jwt: "assets", buckets: [] })],
  ];

  #listDatabases(name: string | null): Answer {
    const found = [...this.databases].map(([uuid, database]) => ({
      uuid,
      name: database.name,
      version: "production",
    }));
    return ok(found.filter((database) => name === null || database.name === name));
  }

  #createDatabase(name: unknown): Answer {
    const uuid = randomUUID();
    this.databases.set(uuid, { name: String(name), sqlite: new DatabaseSync(":memory:") });
    return ok({ uuid, name, version: "production", created_in_region: "WEUR" });
  }

  #database(idOrName: string | undefined): Answer {
    for (const [uuid, { name }] of this.databases) {
      if (uuid === idOrName || name === idOrName) return ok({ uuid, name, version: "production" });
    }
    return missing(7_404, "The database was not found");
  }

  #query(id: string | undefined, body: Record<string, unknown>): Answer {
    const sqlite = this.databases.get(id ?? "")?.sqlite;
    if (sqlite === undefined) return missing(7_404, "The database was not found");
    try {
      const sql = String(body["sql"]);
      const params = z.array(z.string()).default([]).parse(body["params"]);
      // A migration has several statements, and no parameters.
      const isOne = params.length > 0 || /^\s*(SELECT|PRAGMA)/i.test(sql);
      const results = isOne ? sqlite.prepare(sql).all(...params) : (sqlite.exec(sql), []);
      return ok([
        { success: true, results, meta: { duration: 1, rows_read: 0, rows_written: 0, size_after: 8_192 } },
      ]);
    } catch (fault) {
      return { status: 400, code: 7_500, message: fault instanceof Error ? fault.message : "error" };
    }
  }

  #createNamespace(title: string): Answer {
    if ([...this.namespaces.values()].some((namespace) => namespace.title === title)) {
      const message = "a namespace with this account ID and title already exists";
      return { status: 400, code: 10_014, message };
    }
    const id = randomUUID().replaceAll("-", "");
    this.namespaces.set(id, { title, values: new Map() });
    return ok({ id, title });
  }

  #listKeys(query: URLSearchParams, id = ""): Answer {
    const prefix = query.get("prefix") ?? "";
    const keys = [...(this.namespaces.get(id)?.values.keys() ?? [])]
      .filter((key) => key.startsWith(prefix) && key > (query.get("cursor") ?? ""))
      .toSorted();
    const page = keys.slice(0, this.keysPerPage);
    const cursor = page.length < keys.length ? page.at(-1) : undefined;
    return { result: page.map((name) => ({ name })), ...(cursor === undefined ? {} : { cursor }) };
  }

  #putValue({ body, contentType }: Call, id: string | undefined, key: string | undefined): Answer {
    const text = contentType.startsWith("multipart/")
      ? (formFields(body, contentType).get("value") ?? "")
      : body.toString();
    this.namespaces.get(id ?? "")?.values.set(key ?? "", text);
    return ok(null);
  }

  #listQueues(name: string | null): Answer {
    return ok(
      [...this.queues]
        .filter(([, queue]) => name === null || queue.name === name)
        .map(([queue_id, queue]) => ({
          queue_id,
          queue_name: queue.name,
          consumers: this.#consumersOf(queue_id),
        })),
    );
  }

  #createQueue(name: string): Answer {
    const queue_id = randomUUID().replaceAll("-", "");
    this.queues.set(queue_id, { name, consumers: [] });
    return ok({ queue_id, queue_name: name });
  }

  #consumersOf(queueId: string) {
    return (this.queues.get(queueId)?.consumers ?? []).map((script) => ({
      consumer_id: `consumer-${queueId}`,
      script,
      script_name: script,
      service: script,
      environment: "production",
      type: "worker",
    }));
  }

  #addConsumer(queueId: string | undefined, body: Record<string, unknown>): Answer {
    this.queues.get(queueId ?? "")?.consumers.push(String(body["script_name"]));
    return ok(body);
  }

  #upload({ body, contentType }: Call): Answer {
    const metadata = json(Buffer.from(formFields(body, contentType).get("metadata") ?? "{}"));
    const id = randomUUID();
    const uploaded = (metadata["bindings"] ?? []) as Binding[];
    const inherited = this.bindings();
    metadata["bindings"] = uploaded.map((binding) =>
      binding.type === "inherit" ? (inherited.find(({ name }) => name === binding.name) ?? binding) : binding,
    );
    this.versions.push({ id, metadata });
    for (const { name, type, text } of uploaded) {
      if (type === "secret_text") this.secrets.set(name, String(text));
    }
    return ok({
      id,
      tag: "tag",
      etag: "etag",
      deployment_id: id.replaceAll("-", ""),
      startup_time_ms: 12,
      available_on_subdomain: true,
      metadata: { has_preview: false },
      resources: { script: { etag: "etag" } },
    });
  }

  #uploadAndDeploy(call: Call): Answer {
    const uploaded = this.#upload(call);
    const { id, metadata } = this.versions.at(-1) ?? { id: "", metadata: {} };
    this.#noteDeployment(id, metadata["code_update_strategy"]);
    return uploaded;
  }

  #deploy({ versions, code_update_strategy }: Record<string, unknown>): Answer {
    const [version] = versions as { version_id: string }[];
    this.#noteDeployment(version?.version_id ?? "", code_update_strategy);
    return ok({ id: randomUUID() });
  }

  #noteDeployment(versionId: string, codeUpdateStrategy: unknown): void {
    const createdAt = new Date(Date.UTC(2026, 10, 29, 0, 0, this.deployments.length)).toISOString();
    this.deployments.push({ versionId, codeUpdateStrategy, createdAt });
  }

  /** Returns the bindings of the newest version. */
  bindings(): Binding[] {
    return (this.versions.at(-1)?.metadata["bindings"] ?? []) as Binding[];
  }

  #listDeployments(): Answer {
    if (this.deployments.length === 0) return missing(10_007, "This Worker does not exist on your account.");
    return ok({
      deployments: this.deployments
        .map(({ versionId, createdAt }) => ({
          id: randomUUID(),
          created_on: createdAt,
          source: "wrangler",
          strategy: "percentage",
          author_email: "operator@example.com",
          annotations: {},
          versions: [{ version_id: versionId, percentage: 100 }],
        }))
        .toReversed(),
    });
  }

  #version(id: string | undefined): Answer {
    const version = this.versions.find((one) => one.id === id);
    if (version === undefined) return missing(10_013, "The version was not found.");
    const { metadata } = version;
    return ok({
      id,
      number: 1,
      metadata: {
        created_on: "2026-11-29T00:00:00Z",
        source: "wrangler",
        author_email: "operator@example.com",
      },
      annotations: metadata["annotations"] ?? {},
      resources: { bindings: metadata["bindings"] ?? [], script: { etag: "etag" }, script_runtime: {} },
    });
  }

  #listSecrets(): Answer {
    if (this.versions.length === 0) return missing(10_007, "This Worker does not exist on your account.");
    return ok([...this.secrets.keys()].map((name) => ({ name, type: "secret_text" })));
  }

  #service(name: string | undefined): Answer {
    if (this.versions.length === 0) return missing(10_090, "workers.api.error.service_not_found");
    const migration_tag = "v1";
    return ok({
      id: name,
      default_environment: {
        environment: "production",
        script: { id: name, tag: "tag", migration_tag, last_deployed_from: "wrangler" },
      },
      environments: [{ environment: "production" }],
    });
  }
}

function json(body: Buffer): Record<string, unknown> {
  return JSON.parse(body.toString() || "{}") as Record<string, unknown>;
}

/** Returns the texts of a multipart body by name. Enough for wrangler's bodies: no text contains its boundary. */
function formFields(body: Buffer, contentType: string): Map<string, string> {
  const boundary = /boundary="?([^";]+)/.exec(contentType)?.[1] ?? "";
  const fields = new Map<string, string>();
  for (const part of body.toString("latin1").split(`--${boundary}`)) {
    const end = part.indexOf("\r\n\r\n");
    const name = /name="([^"]*)"/.exec(part.slice(0, end))?.[1];
    if (name !== undefined) {
      fields.set(name, Buffer.from(part.slice(end + 4, -2), "latin1").toString());
    }
  }
  return fields;
}
