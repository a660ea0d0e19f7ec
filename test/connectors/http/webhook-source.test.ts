import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { webhookSource } from "@headrace/http";
import { openSourceRun, sourceAcceptance } from "@headrace/sdk/testing";
import { freePorts } from "#dev/process.ts";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";

const SECRET = "shh";
const sign = (body: string) => `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;

async function configOf(more: Record<string, string> = {}) {
  const [port = 0] = await freePorts(1);
  const config = {
    "webhook.host": "127.0.0.1",
    "webhook.port": String(port),
    "webhook.path": "/in",
    topic: "t",
    ...more,
  };
  return { config, url: `http://127.0.0.1:${port}/in` };
}

async function post(url: string, body: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: "POST", body, headers, signal: AbortSignal.timeout(60_000) });
  return { status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") };
}

describe("webhook source, acceptance", () => {
  const cases = sourceAcceptance({
    definition: webhookSource,
    module: import.meta.resolve("@headrace/http"),
    resumes: "acknowledgements",
    maxBatch: 5,
    items: 6,
    misconfigurations: [
      { change: { "webhook.port": undefined }, key: "webhook.port", message: /./ },
      { change: { "webhook.port": "70000" }, key: "webhook.port", message: /no more than 65535/ },
      { change: { "webhook.format": "xml" }, key: "webhook.format", message: /one of: json/ },
    ],
    notApplicable: NOT_APPLICABLE["webhook-source"],
    async openSystem() {
      const { config, url } = await configOf({ "batch.size": "5" });
      let made = 0;
      const closing = new AbortController();
      const senders: Promise<void>[] = [];
      /** Repeats until the answer is a success, as senders of webhooks do. */
      async function send(n: number): Promise<void> {
        while (!closing.signal.aborted) {
          const answered = await post(url, JSON.stringify({ n })).catch(() => null);
          if (answered?.status === 200) return;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
      return {
        config,
        async feed(count) {
          const numbers = Array.from({ length: count }, () => made++);
          senders.push(...numbers.map(send));
          return numbers.map((n) => JSON.stringify({ n }));
        },
        identify: ({ value }) => JSON.stringify(value.value),
        async close() {
          closing.abort();
          await Promise.all(senders);
        },
      };
    },
  });
  for (const each of cases) it(each.name, each.run);
});

describe("webhook source", () => {
  it("answers when Kafka has the record, with where it lies", async () => {
    const { config, url } = await configOf({ "webhook.key.header": "X-Id", "webhook.headers": "X-Event" });
    const source = await openSourceRun(webhookSource, { config });
    const taking = source.take(1);
    let answered = false;
    const sending = retryRefused(() => post(url, '{"a":1}', { "x-id": "k", "x-event": "push" })).then((answer) => {
      answered = true;
      return answer;
    });
    const records = await taking;
    assert.equal(answered, false);
    const [record] = records;
    assert.deepEqual([record?.key?.value, record?.value.value, record?.headers?.[0]?.value], ["k", { a: 1 }, "push"]);
    await source.acknowledge(records);
    assert.deepEqual(
      [(await sending).status, JSON.parse((await sending).text)],
      [200, { stored: true, topic: "t", partition: 0, offset: 0 }],
    );
    await source.close();
  });

  it("keeps every digit of integers", async () => {
    const { config, url } = await configOf();
    const source = await openSourceRun(webhookSource, { config });
    const taking = source.take(1);
    const sending = retryRefused(() => post(url, '{"id":9007199254740993,"ids":[-18446744073709551617,1],"part":0.5}'));
    const records = await taking;
    assert.deepEqual(
      records.map(({ value }) => value.value),
      [{ id: 9007199254740993n, ids: [-18446744073709551617n, 1], part: 0.5 }],
    );
    await source.acknowledge(records);
    assert.equal((await sending).status, 200);
    await source.close();
  });

  it("refuses what is not signed, too large, no JSON, or elsewhere", async () => {
    const { config, url } = await configOf({ "webhook.hmac.secret": SECRET, "webhook.max.body.bytes": "20" });
    const source = await openSourceRun(webhookSource, { config });
    const taking = source.take(1);
    const refused = await retryRefused(() => post(url, "{}"));
    assert.equal(refused.status, 401);
    assert.equal((await post(url, "{}", { "x-hub-signature-256": sign("{ }") })).status, 401);
    assert.equal((await post(url, "{", { "x-hub-signature-256": sign("{") })).status, 400);
    assert.equal((await post(url, "x".repeat(21))).status, 413);
    assert.equal((await post(`${url}x`, "{}")).status, 404);
    assert.equal((await fetch(url, { signal: AbortSignal.timeout(60_000) })).status, 405);
    const sending = post(url, "{}", { "x-hub-signature-256": sign("{}") });
    await source.acknowledge(await taking);
    assert.equal((await sending).status, 200);
    await source.close();
  });

  it("checks signatures by the hash and in the header that it is told", async () => {
    const { config, url } = await configOf({
      "webhook.hmac.secret": SECRET,
      "webhook.hmac.algorithm": "sha512",
      "webhook.hmac.header": "X-Signature",
    });
    const source = await openSourceRun(webhookSource, { config });
    const taking = source.take(1);
    const refused = await retryRefused(() => post(url, "{}", { "x-hub-signature-256": sign("{}") }));
    assert.equal(refused.status, 401);
    assert.equal((await post(url, "{}", { "x-signature": sign("{}") })).status, 401);
    const signature = createHmac("sha512", SECRET).update("{}").digest("hex");
    const sending = post(url, "{}", { "x-signature": signature });
    await source.acknowledge(await taking);
    assert.equal((await sending).status, 200);
    await source.close();
  });

  it("answers 429 when too many wait, and 503 when the task stops", async () => {
    const { config, url } = await configOf({ "webhook.queue.max": "2" });
    const source = await openSourceRun(webhookSource, { config });
    const taking = source.take(2);
    const waiting = [retryRefused(() => post(url, "1")), retryRefused(() => post(url, "2"))];
    const records = await taking;
    const third = await post(url, "3");
    assert.deepEqual([third.status, third.retryAfter], [429, "1"]);
    await source.acknowledge(records);
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ status }) => status),
      [200, 200],
    );
    const next = source.take(1);
    const last = post(url, "4");
    await next;
    await source.close();
    assert.equal((await last).status, 503);
  });

  it("answers 503 when Kafka is too late", async () => {
    const { config, url } = await configOf({ "webhook.answer.timeout.ms": "200" });
    const source = await openSourceRun(webhookSource, { config });
    const taking = source.take(1);
    assert.equal((await retryRefused(() => post(url, "1"))).status, 503);
    await Promise.allSettled([taking]);
    await source.close();
  });
});

/** The server listens with the first poll. */
async function retryRefused<T>(request: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
