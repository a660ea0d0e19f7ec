import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "@headrace/sdk/testing";
import { freePorts } from "#dev/process.ts";
import { uniqueName } from "#support/kafka.ts";
import { openPluginWorker } from "#support/plugin-worker.ts";
import { openTestServer } from "./http/test-server.ts";

describe("the http package in a worker", () => {
  it("moves records from Kafka to a server and from senders to Kafka, through a kill", {
    timeout: 480_000,
  }, async () => {
    const bodies: string[] = [];
    const server = await openTestServer(({ body }, response) => {
      bodies.push(body);
      response.end();
    });
    const worker = await openPluginWorker("http");
    try {
      const topic = uniqueName("http");
      const [port = 0] = await freePorts(1);
      const text = { "value.converter": "org.apache.kafka.connect.storage.StringConverter" };
      await worker.start("hook", {
        ...text,
        "connector.class": "webhook-source",
        "webhook.host": "127.0.0.1",
        "webhook.port": String(port),
        "webhook.format": "text",
        topic,
      });
      await worker.start(`${topic}-out`, {
        ...text,
        "connector.class": "http-sink",
        topics: topic,
        "http.url": server.url,
      });
      const offsets: unknown[] = [];
      const send = (body: string) =>
        until(120_000, `${body} is answered with success`, async () => {
          const url = `http://127.0.0.1:${port}/`;
          const response = await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(60_000) }).catch(
            () => null,
          );
          if (response?.status !== 200) return false;
          offsets.push(await response.json());
          return true;
        });
      for (const body of ["a", "b", "c"]) await send(body);
      assert.deepEqual(offsets[0], { stored: true, topic, partition: 0, offset: 0 });
      await until(120_000, "three requests", () => new Set(bodies).size === 3);
      await worker.killAndRestart();
      for (const body of ["d", "e"]) await send(body);
      await until(120_000, "all requests", () => new Set(bodies).size === 5);
      assert.deepEqual([...new Set(bodies)], ["a", "b", "c", "d", "e"]);
      // One that was answered without success may be there twice.
      let stored = new Set<string>();
      await until(120_000, "all in Kafka", async () => {
        stored = new Set(await worker.read(topic, 5));
        return stored.size === 5;
      });
      assert.deepEqual([...stored], ["a", "b", "c", "d", "e"]);
    } finally {
      await worker.close();
      await server.close();
    }
  });
});
