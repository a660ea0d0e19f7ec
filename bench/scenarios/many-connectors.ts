import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnector, waitForTasks } from "../connect.ts";
import type { Scenario } from "../scenario.ts";
import { type SideName, startSide } from "../side.ts";
import { spreadOf } from "../statistics.ts";
import { usageOf } from "../usage.ts";

const REQUESTS_AT_ONCE = 16;
const RUNNING_LIMIT_MS = 600_000;
const SETTLE_MS = 10_000;
const SNAPSHOTS = 20;

/** `count` connectors created at once on one worker, each a source without records: until all run, and what each needs then. */
export function manyConnectors(count: number, sides: readonly SideName[]): Scenario {
  const name = `create-${count}`;
  return {
    name,
    quick: false,
    sides,
    maxRuns: 1,
    async prepare(bench) {
      const file = join(bench.dir, `${name}.txt`);
      appendFileSync(file, "");
      const connectors = Math.max(5, Math.round(count * bench.scale));
      return async (side) => {
        const group = bench.name(name);
        const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group });
        try {
          await sleep(SETTLE_MS);
          const idleBytes = usageOf(worker.pid).residentBytes;
          const startedAt = performance.now();
          const waiting = Array.from({ length: connectors }, (_, index) => `idle-${index}`);
          const create = async () => {
            for (let connector = waiting.shift(); connector !== undefined; connector = waiting.shift()) {
              await createConnector(worker.url, connector, {
                "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
                "tasks.max": "1",
                topic: group,
                file,
              });
            }
          };
          await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, create));
          await waitForTasks(worker.url, connectors, RUNNING_LIMIT_MS);
          const allRunningMs = performance.now() - startedAt;
          await sleep(SETTLE_MS);
          const bytesPerConnector = (usageOf(worker.pid).residentBytes - idleBytes) / connectors;
          return { allRunningMs, bytesPerConnector, snapshotMs: await timeSnapshots(worker.url, connectors) };
        } finally {
          await worker.stop();
        }
      };
    },
  };
}

/** Milliseconds of a request for all connectors with their statuses, the median of some. */
async function timeSnapshots(url: string, connectors: number): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < SNAPSHOTS; turn += 1) {
    const startedAt = performance.now();
    const response = await fetch(`${url}/connectors?expand=status&expand=info`, {
      signal: AbortSignal.timeout(60_000),
    });
    const body: unknown = await response.json();
    times.push(performance.now() - startedAt);
    const found = Object.keys(body ?? {}).length;
    if (found !== connectors) throw new Error(`the snapshot has ${found} of ${connectors} connectors`);
  }
  return spreadOf(times).median;
}
