import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { createKafkaClients } from "#runtime/executor/kafka-clients.ts";
import { eventually } from "#support/eventually.ts";
import { createSilentLog } from "#support/silent-log.ts";

/** How many of librdkafka's threads this process has; one may end while it is looked at. */
function clientThreads(): number {
  return readdirSync("/proc/self/task").filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, "utf8").startsWith("rdk:");
    } catch {
      return false;
    }
  }).length;
}
const owner = (connector: string, config: Readonly<Record<string, string>> = {}) => ({
  worker: { "bootstrap.servers": "127.0.0.1:1" },
  connectorConfig: config,
  connector,
  task: 0,
});
const options = { reportPositions: false, stopOnFailure: true };

describe("the producer of a source task", () => {
  it("has no threads before its first record", async () => {
    const clients = createKafkaClients({ cluster: "c", features: () => [], log: createSilentLog() });
    const first = await clients.openSourceProducer(owner("first"), options);
    await eventually("the trial of the configuration is over", () => clientThreads() === 0);
    const more = await Promise.all(
      Array.from({ length: 20 }, (_, index) => clients.openSourceProducer(owner(`idle-${index}`), options)),
    );
    assert.equal(clientThreads(), 0);
    const record = { topic: "t", partition: null, key: null, value: "v", headers: null, timestamp: null };
    await first.send([record], AbortSignal.timeout(10_000));
    assert.equal(first.outstanding(), 1);
    assert.ok(clientThreads() > 0, "the first record opens it");
    await Promise.all([first, ...more].map((producer) => producer.close()));
  });

  it("tells at once what librdkafka does not accept, each time", async () => {
    const clients = createKafkaClients({ cluster: "c", features: () => [], log: createSilentLog() });
    const bad = owner("bad", { "producer.override.compression.type": "none-such" });
    for (let turn = 0; turn < 2; turn += 1) {
      await assert.rejects(clients.openSourceProducer(bad, options), { code: "config-invalid" });
    }
  });
});
