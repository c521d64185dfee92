import { z } from "zod";
import { rideFile } from "../support/rideFile.ts";
import { pingOf, send } from "./client.ts";
import { inParallel, type Figure } from "./figures.ts";
import { startHost } from "./files.ts";
import { longFile } from "./fit.ts";
import { Benched } from "./imports.ts";
import { Inspector } from "./inspector.ts";
import { startWorkerd } from "./workerd.ts";

const MEBIBYTE = 1 << 20;
/** Maximum memory of an isolate on the platform. */
export const ISOLATE_MIB = 128;
/** Interval between two samples. */
const SAMPLE_MS = 10;
const HOW_MEASURED =
  "used heap + array buffers, by the inspector between turns of the isolate; all of it in one isolate";

/** Measures the isolate's peak memory with large files, and its behaviour under overload. */
export async function memoryFigures(): Promise<Figure[]> {
  return [
    await peakOfImports("a file of 20 MB", 1, longFile(20_000_000)),
    await peakOfImports("6 files of 3 MB at once", 6, longFile(3_000_000)),
    ...(await measureOverload()),
  ];
}

async function peakOfImports(name: string, files: number, bytes: Uint8Array): Promise<Figure> {
  const host = await startHost([bytes]);
  const service = await startWorkerd({
    entry: "src/index.ts",
    consumers: true,
    inspector: true,
  });
  try {
    const benched = new Benched(service, host);
    const imported = service.database.prepare("SELECT count(*) files FROM files WHERE status = 'imported'");
    const peak = await measurePeak(service.inspector, async () => {
      await inParallel(files, files, async (file) => benched.pingLive(`rider-${file}`, "ride"));
      await benched.until(async () => (await imported.first<{ files: number }>())?.files === files);
    });
    return {
      section: "memory",
      name: `${name}: peak`,
      value: peak,
      unit: "MiB",
      target: { at: "most", value: ISOLATE_MIB },
      note: HOW_MEASURED,
    };
  } finally {
    await service.stop();
    await host.close();
  }
}

/** Sends 20 pings of 8 MiB inline in parallel: some are accepted, the rest get 503, and the service keeps running. */
async function measureOverload(): Promise<Figure[]> {
  const PINGS = 20;
  const file = rideFile({ seconds: 33_000, paddingBytes: 245 }).subarray(0, 8 * MEBIBYTE);
  const service = await startWorkerd({
    entry: "src/index.ts",
    consumers: false,
    inspector: true,
  });
  try {
    const statuses: number[] = [];
    const callback_url = Buffer.from(file).toString("base64");
    const url = new URL("/api/fit_partner_ping/", service.url);
    const peak = await measurePeak(service.inspector, async () =>
      inParallel(PINGS, PINGS, async (ping) => {
        const body = JSON.stringify({
          activity_files: [
            pingOf({ user_id: `rider-${ping}`, summary_id: "ride", priority: 1, callback_url }),
          ],
        });
        statuses.push((await send("POST", url, service.credentials, body)).status);
      }),
    );
    const alive = await send("GET", new URL("/api/partner/", service.url), service.credentials);
    const of = (status: number) => statuses.filter((found) => found === status).length;
    const section = "memory";
    const name = `${PINGS} pings of ${Math.round(file.byteLength / MEBIBYTE)} MiB at once`;
    return [
      {
        section,
        name: `${name}: peak`,
        value: peak,
        unit: "MiB",
        target: { at: "most", value: ISOLATE_MIB },
        note: HOW_MEASURED,
      },
      { section, name: `${name}: accepted (202)`, value: of(202), unit: "" },
      { section, name: `${name}: rejected for now (503)`, value: of(503), unit: "" },
      {
        section,
        name: `${name}: other statuses`,
        value: PINGS - of(202) - of(503),
        unit: "",
        target: { at: "most", value: 0 },
      },
      {
        section,
        name: `${name}: status of a request afterwards`,
        value: alive.status,
        unit: "",
        target: { at: "most", value: 200 },
      },
    ];
  } finally {
    await service.stop();
  }
}

const heapSchema = z.object({ usedSize: z.number(), backingStorageSize: z.number().optional() });

/** Returns the isolate's highest sampled memory during the work, in MiB. */
export async function measurePeak(address: URL | null, work: () => Promise<unknown>): Promise<number> {
  const inspector = await Inspector.connect(address);
  let peak = 0;
  const sample = async () => {
    const { usedSize, backingStorageSize } = heapSchema.parse(await inspector.ask("Runtime.getHeapUsage"));
    peak = Math.max(peak, usedSize + (backingStorageSize ?? 0));
  };
  const timer = setInterval(() => void sample(), SAMPLE_MS);
  try {
    await work();
    await sample();
  } finally {
    clearInterval(timer);
    inspector.close();
  }
  return peak / MEBIBYTE;
}
