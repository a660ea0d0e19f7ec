import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OffsetMap, SourceRecord } from "@headrace/sdk";
import { datagenSource } from "#runtime/connectors/datagen-source.ts";
import { pollUntil, sourceContext } from "#support/connector-contexts.ts";

const signal = new AbortController().signal;

async function openTasks(
  config: Record<string, string>,
  maxTasks: number,
  offset?: (partition: OffsetMap) => OffsetMap | null,
) {
  const base = { topic: "t", template: "{{sequence}}", "template.format": "text", "rate.per.second": "0", ...config };
  const overlays = await datagenSource.planTasks(datagenSource.config.parse(base), maxTasks, signal);
  return await Promise.all(
    overlays.map((overlay) =>
      datagenSource.openTask(
        datagenSource.config.parse({ ...base, ...overlay }),
        sourceContext(offset).context,
        signal,
      ),
    ),
  );
}

const values = (records: readonly SourceRecord[]) =>
  records.map((record) => Number(record.value.value)).sort((a, b) => a - b);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("datagen source", () => {
  it("gives every number once, whatever the number of tasks", async () => {
    for (const maxTasks of [1, 3, 8, 20]) {
      const tasks = await openTasks({ count: "100" }, maxTasks);
      assert.equal(tasks.length, Math.min(maxTasks, 8));
      const records: SourceRecord[] = [];
      for (const task of tasks) records.push(...(await task.poll(signal)));
      assert.deepEqual(values(records), upTo(100), `${maxTasks} tasks`);
    }
  });

  it("resumes exactly, also with another number of tasks", async () => {
    const stored = new Map<unknown, OffsetMap>();
    const first = await openTasks({ count: "100", "batch.size": "13" }, 2);
    const records: SourceRecord[] = [];
    for (const task of first) records.push(...(await task.poll(signal)));
    for (const { sourcePartition, sourceOffset } of records) stored.set(sourcePartition["stream"], sourceOffset);
    const second = await openTasks({ count: "100" }, 5, (partition) => stored.get(partition["stream"]) ?? null);
    for (const task of second) records.push(...(await task.poll(signal)));
    assert.deepEqual(values(records), upTo(100));
  });

  it("gives the same records for the same seed, and others for another", async () => {
    const take = async (seed: string) => {
      const config = { count: "20", seed, template: '{"n":{{int 1 1000000}},"c":"{{pick a|b|c}}","u":"{{uuid}}"}' };
      const [task] = await openTasks({ ...config, "template.format": "json", "key.template": "k{{sequence}}" }, 1);
      assert.ok(task !== undefined);
      return (await pollUntil(task, 20)).map((record) => [record.key?.value, record.value.value]);
    };
    assert.deepEqual(await take("1"), await take("1"));
    assert.notDeepEqual(await take("1"), await take("2"));
    assert.equal((await take("1"))[0]?.[0], "k0");
  });

  it("keeps every digit of integers, and says what is no JSON", async () => {
    const json = { count: "1", "template.format": "json" };
    const template = '{"big":18446744073709551615,"sum":9007199254740993,"small":{{sequence}},"half":0.5}';
    const [task] = await openTasks({ ...json, template }, 1);
    const [record] = await pollUntil(task ?? assert.fail("no task"), 1);
    const value = { big: 18_446_744_073_709_551_615n, sum: 9_007_199_254_740_993n, small: 0, half: 0.5 };
    assert.deepEqual(record?.value, { schema: null, value });
    const [broken] = await openTasks({ ...json, template: "[{{sequence}}" }, 1);
    await assert.rejects(broken?.poll(signal) ?? assert.fail("no task"), {
      name: "DataError",
      message: "What the template gives ([0) is not JSON",
    });
  });

  it("keeps to its rate", async () => {
    const [task] = await openTasks({ "rate.per.second": "200" }, 1);
    assert.ok(task !== undefined);
    const startedAt = performance.now();
    await pollUntil(task, 41);
    assert.ok(performance.now() - startedAt >= 195);
  });

  it("stands still at its count until it is stopped", async () => {
    const [task] = await openTasks({ count: "5" }, 1);
    assert.ok(task !== undefined);
    assert.equal((await task.poll(signal)).length, 5);
    assert.deepEqual(await task.poll(AbortSignal.timeout(20)), []);
  });

  it("names a template that cannot work", async () => {
    const config = datagenSource.config.parse({ topic: "t", template: "{{int 5 1}}", "key.template": "{{what}}" });
    assert.deepEqual(await datagenSource.validate?.(config, signal), {
      template: ["{{int 5 1}} needs two numbers, the smaller one first"],
      "key.template": ["{{what}} is none of sequence, int, double, pick, hex, uuid"],
    });
  });
});
