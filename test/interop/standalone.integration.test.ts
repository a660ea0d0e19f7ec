import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { consumeAll, startJvmWorker } from "#dev/kafka.ts";
import { decodeJavaMap } from "#runtime/standalone/java-map.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { startStandalone } from "#support/standalone.ts";
import { rest } from "#support/worker.ts";

describe("standalone workers of Headrace and of Apache Kafka Connect", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-standalone-interop-"));
  const offsets = join(dir, "offsets");
  const topic = uniqueName("standalone");
  const sources = ["first", "second"].map((name) => ({ name: `${topic}-${name}`, lines: join(dir, name) }));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;

  before(async () => {
    kafka = await sharedKafka();
  });
  after(async () => {
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const positions = (): Record<string, string> => {
    if (!existsSync(offsets)) return {};
    const entries = decodeJavaMap(readFileSync(offsets));
    return Object.fromEntries(entries.map(([key, value]) => [String(key), value === null ? "" : value.toString()]));
  };
  /** Lets a worker copy what is new, and stops it; each line must come once. */
  const turn = async (
    start: () => Promise<{ readonly url: string; readonly stop: () => Promise<void> }>,
    line: string,
  ) => {
    for (const { lines } of sources) appendFileSync(lines, `${line}\n`);
    const worker = await start();
    try {
      const wanted = Object.fromEntries(
        sources.map(({ name, lines }) => [
          JSON.stringify([name, { filename: lines }]),
          JSON.stringify({ position: readFileSync(lines).length }),
        ]),
      );
      await eventually(
        "the offsets are in the file",
        () => {
          const found = positions();
          return Object.entries(wanted).every(([key, value]) => found[key] === value);
        },
        120_000,
      );
      const seen = await rest(worker.url, "GET", `/connectors/${sources[0]?.name}/offsets`);
      assert.equal(seen.status, 200);
    } finally {
      await worker.stop();
    }
    assert.deepEqual(Object.keys(positions()).length, sources.length, "no key was written twice in another form");
  };

  it("go on from one another's offset file", async (t) => {
    const connectorFiles = sources.map(({ name, lines }) => {
      writeFileSync(lines, "");
      const file = join(dir, `${name}.properties`);
      writeFileSync(file, `name=${name}\nconnector.class=FileStreamSource\nfile=${lines}\ntopic=${topic}\n`);
      return file;
    });
    const string = "org.apache.kafka.connect.storage.StringConverter";
    const properties = {
      "bootstrap.servers": kafka.bootstrap,
      "key.converter": string,
      "value.converter": string,
      "offset.storage.file.filename": offsets,
      "offset.flush.interval.ms": "500",
    };
    const ours = () =>
      startStandalone({ dir, properties: { ...properties, "headrace.metrics.listener": "" }, files: connectorFiles });
    const jvm = () => startJvmWorker({ dir, properties, connectorFiles });
    await turn(ours, "of Headrace");
    await turn(jvm, "of the JVM");
    await turn(ours, "of Headrace again");
    const values = await consumeAll(kafka.bootstrap, topic);
    const expected = [
      "of Headrace",
      "of Headrace",
      "of Headrace again",
      "of Headrace again",
      "of the JVM",
      "of the JVM",
    ];
    assert.deepEqual([...values].sort(), expected);
    t.diagnostic(
      "interop | standalone offset file, Headrace to JVM and back | 2 connectors, 3 turns | no line lost, none twice",
    );
  });
});
