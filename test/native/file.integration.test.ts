import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { createSplittingProducer, SMALL_BATCH_BYTES } from "#runtime/kafka/splitting-producer.ts";
import { LONG_BYTES, runFileSource, writeMixedFile } from "#support/file-run.ts";
import { sharedKafka } from "#support/kafka.ts";
import { endTasks } from "#support/task-run.ts";
import { createTopic, openProducer, readTopic, textOf } from "./clients.ts";

describe("a file to Kafka", { timeout: 280_000 }, () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let dir: string;
  before(async () => {
    kafka = await sharedKafka();
    dir = await mkdtemp(join(tmpdir(), "headrace-file-"));
  });
  afterEach(endTasks);
  after(async () => {
    await kafka.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("brings every line that the topic takes, byte by byte and in order, through a small queue and refusals", async () => {
    const file = join(dir, "mixed.txt");
    const { size, lines } = await writeMixedFile(file, 1_500);
    const config = { "max.message.bytes": String(LONG_BYTES / 2) };
    const topic = await createTopic(kafka.bootstrap, { config });
    const limits = {
      configured: {},
      small: { "batch.size": String(SMALL_BATCH_BYTES) },
      single: { "batch.num.messages": "1" },
    };
    let opened = 0;
    await runFileSource({ file, topic, size }, async (options) =>
      createSplittingProducer({
        ...options,
        open(batching, more) {
          opened += 1;
          return openProducer(kafka.bootstrap, {
            ...more,
            config: {
              "queue.buffering.max.kbytes": "1024",
              "queue.buffering.max.messages": "200",
              ...limits[batching],
            },
          });
        },
        maxRecordBytes: 1_000_000,
      }),
    );
    const expected = lines.filter((line) => Buffer.byteLength(line) < LONG_BYTES / 2);
    const arrived = textOf(await readTopic(kafka.bootstrap, topic, AbortSignal.timeout(120_000)));
    const wrong = expected.findIndex((line, index) => arrived[index] !== line);
    assert.equal(wrong, -1, `line ${wrong} is ${arrived[wrong]?.slice(0, 60)}, not ${expected[wrong]?.slice(0, 60)}`);
    assert.equal(arrived.length, expected.length);
    assert.ok(expected.length < lines.length && opened > 2, "some were refused");
  });
});
