import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { createTopic, sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

/** A JVM worker makes some ten transactions a second, one for each batch. */
const SHARE = 1_000;
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`);

describe("an exactly-once source of Apache Kafka Connect, taken over", { timeout: 400_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-eos-interop-"));
  const group = uniqueName("eos-interop");
  const topic = `${group}-lines`;
  const file = join(dir, "in.txt");
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let lines: CommittedReader;
  let ours: TestWorker | undefined;
  let jvm: JvmWorker | undefined;

  const properties = () => ({
    ...groupProperties(kafka.bootstrap, group),
    "exactly.once.source.support": "enabled",
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "1000",
  });
  const append = (from: number, to: number) => appendFileSync(file, `${numbered(from, to).join("\n")}\n`);

  before(async () => {
    kafka = await sharedKafka();
    await createTopic(kafka.bootstrap, topic);
    lines = openCommittedReader(kafka.bootstrap, topic);
  });

  after(async () => {
    await Promise.allSettled([ours?.process.kill(), jvm?.kill(), lines?.close()]);
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Every line once, in order, up to the last one. */
  async function allLines(url: string, count: number): Promise<void> {
    await eventually(`${count} lines`, () => lines.records.length >= count, 120_000);
    assert.deepEqual(lines.values(), numbered(0, count));
    const position = numbered(0, count).reduce((sum, line) => sum + line.length + 1, 0);
    await eventually(
      "the offset behind the last line",
      async () => {
        const { body } = await rest(url, "GET", "/connectors/source/offsets");
        return JSON.stringify(body).includes(`"position":${position}`);
      },
      120_000,
    );
  }

  it("is begun by a JVM worker, and taken over in the midst of its work by a Headrace worker", async (t) => {
    jvm = await startJvmWorker({ dir, properties: properties() });
    append(0, SHARE);
    const config = {
      "connector.class": "FileStreamSource",
      "exactly.once.support": "required",
      "tasks.max": "1",
      "batch.size": "20",
      // A starting JVM worker reads no further than the transaction that the dead one left open.
      "producer.override.transaction.timeout.ms": "10000",
      file,
      topic,
    };
    const { status, body } = await rest(jvm.url, "POST", "/connectors", { name: "source", config });
    assert.equal(status, 201, JSON.stringify(body));
    await eventually("some lines", () => lines.records.length >= SHARE / 10, 120_000, 5);
    await jvm.kill();
    jvm = undefined;
    const seen = lines.records.length;
    ours = await startWorker({ dir, properties: properties() });
    await allLines(ours.url, SHARE);
    t.diagnostic(
      `interop | exactly-once source, JVM worker killed at ${seen} lines | ${SHARE} lines | each once, in order`,
    );
  });
});
