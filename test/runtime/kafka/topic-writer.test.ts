import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaCluster } from "#runtime/kafka/cluster.ts";
import { type Broker, createTimeoutError } from "#runtime/kafka/kafkajs.ts";
import type { PartitionLeaders } from "#runtime/kafka/leaders.ts";
import { partitionForKey } from "#runtime/kafka/partitioner.ts";
import { createTopicWriter } from "#runtime/kafka/topic-writer.ts";
import { eventually } from "#support/eventually.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { kafkaSettings, record } from "#support/topic-logs.ts";

const signal = AbortSignal.timeout(60_000);
const OK = 0;
const NOT_LEADER = 6;
const TOO_LARGE = 10;

/** One produce request that waits for its answer. */
interface Sent {
  /** `key=value` by partition. */
  readonly records: ReadonlyMap<number, readonly string[]>;
  /** Answers with an error code for each partition; OK if there is none. */
  answer(errors?: Readonly<Record<number, number>>): void;
  /** The answer never comes. */
  fail(): void;
}

/** A writer to a broker that answers when the test wants it to. */
function openWriter(partitionCount = 1) {
  const sent: Sent[] = [];
  const broker = createFakeBroker(sent);
  const forgotten: Broker[] = [];
  const unused = () => assert.fail("not for a writer");
  const cluster: KafkaCluster = {
    any: unused,
    at: unused,
    node: unused,
    coordinator: unused,
    transactionCoordinator: unused,
    metadata: unused,
    topic: unused,
    forget: (gone) => void forgotten.push(gone),
    close: () => {},
  };
  const leaders: PartitionLeaders = {
    partitions: () => Array.from({ length: partitionCount }, (_, partition) => partition),
    of: () => 1,
    refresh: async () => {},
    connect: async (partitions) => new Map([[broker, partitions]]),
    invalidate: () => {},
  };
  const settings = { ...kafkaSettings("unused:1"), retryBackoffMs: 1, retryBackoffMaxMs: 2 };
  const writer = createTopicWriter({ cluster, leaders, topic: "t", settings, log: createSilentLog() });
  const next = async (number: number) => eventually(`request ${number}`, () => sent[number - 1]);
  return { writer, sent, next, forgotten };
}

function createFakeBroker(sent: Sent[]): Broker {
  const unused = () => assert.fail("not for a writer");
  return {
    isConnected: () => true,
    connect: async () => {},
    findGroupCoordinator: unused,
    syncGroup: unused,
    heartbeat: unused,
    leaveGroup: unused,
    describeGroups: unused,
    lookupRequest: () => (options) => ({
      request: { options },
      response: {
        decode: async (raw) => JSON.parse(raw.toString()),
        parse: async (answer) => JSON.parse(JSON.stringify(answer)),
      },
    }),
    connectionPool: {
      host: "broker",
      port: 1,
      pool: [],
      getConnection: unused,
      async send({ request, response }) {
        const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
        const records = readRecords(request);
        sent.push({
          records,
          answer(errors = {}) {
            const partitions = [...records.keys()].map((partition) => ({
              partition,
              errorCode: errors[partition] ?? OK,
            }));
            resolve(Buffer.from(JSON.stringify({ topics: [{ partitions }] })));
          },
          fail: () => reject(createTimeoutError("no answer")),
        });
        return response.parse(await response.decode(await promise));
      },
    },
  };
}

function readRecords(request: object): ReadonlyMap<number, readonly string[]> {
  const { options } = JSON.parse(JSON.stringify(request));
  const text = ({ data }: { data: number[] }) => Buffer.from(data).toString();
  return new Map(
    options.topicData[0].partitions.map(
      ({
        partition,
        messages,
      }: {
        partition: number;
        messages: { key: { data: number[] }; value: { data: number[] } }[];
      }) => [partition, messages.map(({ key, value }) => `${text(key)}=${text(value)}`)],
    ),
  );
}

const all = ({ records }: Sent) => [...records.values()].flat();

describe("topic writer", () => {
  it("sends nothing while something before it is undecided", async () => {
    const { writer, sent, next, forgotten } = openWriter();
    const first = writer.append([record("k", "old")], null, signal);
    const second = writer.append([record("k", "new")], null, signal);
    (await next(1)).fail();
    (await next(2)).fail();
    const third = await next(3);
    assert.deepEqual(sent.map(all), [["k=old"], ["k=old"], ["k=old"]]);
    assert.equal(forgotten.length, 2);
    third.answer();
    await first;
    (await next(4)).answer();
    await second;
    assert.deepEqual(all(await next(4)), ["k=new"]);
  });

  it("sends together what has waited, in order", async () => {
    const { writer, next } = openWriter();
    const appends = ["1", "2", "3", "4"].map((value) => writer.append([record("k", value)], null, signal));
    (await next(1)).answer();
    const rest = await next(2);
    assert.deepEqual(all(rest), ["k=2", "k=3", "k=4"]);
    rest.answer();
    await Promise.all(appends);
  });

  it("bounds what it sends at once", async () => {
    const { writer, next } = openWriter();
    const large = "x".repeat(300_000);
    const appends = ["1", "2", "3"].map((key) => writer.append([record(key, large)], null, signal));
    for (const number of [1, 2, 3]) {
      const request = await next(number);
      assert.equal(all(request).length, 1);
      request.answer();
    }
    await Promise.all(appends);
  });

  it("repeats only the partitions that failed", async () => {
    const { writer, next } = openWriter(2);
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`);
    const appended = writer.append(
      keys.map((key) => record(key, "v")),
      null,
      signal,
    );
    (await next(1)).answer({ 1: NOT_LEADER });
    const again = await next(2);
    const failed = keys.filter((key) => partitionForKey(Buffer.from(key), 2) === 1).map((key) => `${key}=v`);
    assert.deepEqual([...again.records], [[1, failed]]);
    again.answer();
    await appended;
  });

  it("lets a refused record fail alone", async () => {
    const { writer, next } = openWriter();
    const appends = ["a", "b", "c", "d"].map((key) => writer.append([record(key, "v")], null, signal));
    const settled = Promise.allSettled(appends);
    (await next(1)).answer();
    (await next(2)).answer({ 0: TOO_LARGE }); // b, c and d together
    (await next(3)).answer();
    (await next(4)).answer({ 0: TOO_LARGE });
    (await next(5)).answer();
    assert.deepEqual(
      (await settled).map(({ status }) => status),
      ["fulfilled", "fulfilled", "rejected", "fulfilled"],
    );
    await assert.rejects(appends[2] ?? Promise.resolve(), {
      code: "kafka",
      message: /^Could not write to topic 't': /,
    });
  });

  it("withdraws between attempts what its caller has given up or forbids", async () => {
    const { writer, next } = openWriter();
    const warmUp = writer.append([record("w", "v")], null, signal);
    const giveUp = new AbortController();
    const given = writer.append([record("a", "v")], null, giveUp.signal);
    let allowed = true;
    const asked: number[] = [];
    const before = async (attempt: number) => {
      asked.push(attempt);
      if (!allowed) throw new Error("not the leader");
    };
    const forbidden = writer.append([record("b", "v")], before, signal);
    const kept = writer.append([record("c", "v")], null, signal);
    (await next(1)).answer();
    await warmUp;
    const request = await next(2);
    assert.equal(all(request).length, 3);
    giveUp.abort(new Error("given up"));
    await assert.rejects(given, /given up/);
    allowed = false;
    request.fail();
    await assert.rejects(forbidden, /not the leader/);
    const last = await next(3);
    assert.deepEqual([all(last), asked], [["c=v"], [0, 1]]);
    last.answer();
    await kept;
  });

  it("rejects what waits when it is stopped", async () => {
    const { writer, next } = openWriter();
    const results = Promise.allSettled(["1", "2"].map((value) => writer.append([record("k", value)], null, signal)));
    await next(1);
    await writer.stop();
    assert.deepEqual(
      (await results).map((result) => result.status === "rejected" && /is stopped/.test(result.reason.message)),
      [true, true],
    );
  });

  it("has nothing to do for no records", async () => {
    const { writer, sent } = openWriter();
    await writer.append([], null, signal);
    assert.equal(sent.length, 0);
  });
});
