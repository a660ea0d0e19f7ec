import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "@headrace/sdk/testing";
import { uniqueName } from "#support/kafka.ts";
import { openPluginWorker } from "#support/plugin-worker.ts";
import { startS3 } from "./s3/s3-server.ts";

describe("the s3 package in a worker", () => {
  it("moves records from Kafka to a bucket and from there to Kafka, each once, through a kill", {
    timeout: 480_000,
  }, async () => {
    const worker = await openPluginWorker("s3");
    const server = await startS3();
    const bucket = await server.createBucket();
    try {
      const topic = uniqueName("s3");
      const text = { "value.converter": "org.apache.kafka.connect.storage.StringConverter" };
      const values = Array.from({ length: 50 }, (_, n) => `v${n}`);
      await worker.write(topic, values.slice(0, 25));
      await worker.start(`${topic}-out`, {
        ...text,
        ...bucket.config,
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        topics: topic,
        "format.class": "bytes",
        "flush.size": "10",
      });
      const names = () => [...bucket.objects().keys()].map((key) => key.slice(key.lastIndexOf("+") + 1));
      await until(120_000, "two objects", () => names().length === 2);
      await worker.killAndRestart();
      await worker.write(topic, values.slice(25));
      await until(120_000, "all objects", () => names().length === 5);
      assert.deepEqual(
        names(),
        [0, 10, 20, 30, 40].map((n) => `${String(n).padStart(10, "0")}.bin`),
      );
      const content = [...bucket.objects().values()].map((bytes) => bytes.toString()).join("");
      assert.equal(content, values.map((value) => `${value}\n`).join(""));

      const back = `${topic}-back`;
      await worker.start(`${topic}-in`, {
        ...text,
        ...bucket.config,
        "connector.class": "s3-source",
        "s3.prefix": `topics/${topic}/`,
        "format.class": "text",
        "s3.poll.interval.ms": "100",
        topic: back,
        "tasks.max": "2",
      });
      assert.deepEqual(await worker.read(back, 50), values);
    } finally {
      await worker.close();
      await server.stop();
      await bucket.close();
    }
  });
});
