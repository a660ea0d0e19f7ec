import { openWorkerRun, type WorkerRun } from "@headrace/sdk/testing";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { sharedKafka } from "./kafka.ts";
import { FROM_SOURCES } from "./worker.ts";

/** A worker with packages of connectors/. */
export interface PluginWorker extends WorkerRun {
  /** Of its Kafka. */
  readonly bootstrap: string;
  /** The offsets of a connector as its worker tells them, in JSON. */
  offsets(name: string): Promise<string>;
}

/** Builds the packages and starts a worker that has them, on the shared Kafka. `close` ends both. */
export async function openPluginWorker(...packages: readonly string[]): Promise<PluginWorker> {
  const pluginPath = await buildConnectors(packages);
  const { bootstrap, stop } = await sharedKafka();
  try {
    const worker = await openWorkerRun({ bootstrap, pluginPath, command: [process.execPath, ...FROM_SOURCES] });
    return {
      ...worker,
      bootstrap,
      async offsets(name) {
        const url = `${worker.url}/connectors/${name}/offsets`;
        return await (await fetch(url, { signal: AbortSignal.timeout(20_000) })).text();
      },
      async close() {
        await worker.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
