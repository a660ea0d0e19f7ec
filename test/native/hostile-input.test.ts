import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { addon } from "@headrace/native";

/** Calls an addon's function with whatever arguments, as no typed caller could. */
function call(name: string, ...args: readonly unknown[]): unknown {
  const candidate: unknown = Reflect.get(addon, name);
  if (typeof candidate !== "function") throw new Error(`no function ${name}`);
  return Reflect.apply(candidate, undefined, args);
}

const NOWHERE = ["bootstrap.servers", "127.0.0.1:1", "log_level", "0"];
const noop = () => {};
const odd: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  10n,
  "",
  "text",
  "nul\0inside",
  Symbol("s"),
  {},
  [],
  [1],
  ["a", null],
  ["a\0b"],
  noop,
  Buffer.alloc(3),
  new Int32Array(2),
  new Float64Array(2),
  new BigInt64Array(2),
  new DataView(new ArrayBuffer(4)),
  new ArrayBuffer(4),
  new Uint8Array(new SharedArrayBuffer(4)),
  Object.create(null),
  new Proxy({}, { get: () => assert.fail("read") }),
];

describe("hostile input to the addon", { timeout: 280_000 }, () => {
  let producer: unknown;
  let consumer: unknown;
  before(() => {
    producer = call("producerOpen", NOWHERE, true, false, false, noop);
    consumer = call("consumerOpen", [...NOWHERE, "group.id", "g"], ["t"], 10, 1000, false, noop);
  });
  after(async () => {
    call("producerClose", producer);
    while (call("producerReap", producer) !== true) await new Promise((resolve) => setImmediate(resolve));
    // It has commits under way to a coordinator that does not exist, which would hold up an orderly end.
    call("consumerAbandon", consumer);
    call("consumerAbandon", consumer);
    assert.equal(call("consumerReap", consumer), true);
  });

  it("throws or answers, and never crashes, for any value in any place", () => {
    // Not those that do what they say with few arguments: end the process, close the clients.
    const names = Object.keys(addon).filter((name) => !/^dieWithParent$|Open$|Close$|Reap$|Abandon$/.test(name));
    assert.ok(names.length > 15);
    for (const name of names) {
      for (const handle of [producer, consumer, ...odd]) {
        attempt(() => call(name, handle));
        for (const value of odd) {
          attempt(() => call(name, handle, value, value, value, value, value, value));
          for (let place = 0; place < 5; place++) {
            const args: unknown[] = [1, ["t"], new Int32Array(1), new BigInt64Array(1), 0];
            args[place] = value;
            attempt(() => call(name, handle, ...args));
          }
        }
      }
    }
    attempt(() => call("producerSealBatch", producer));
    assert.equal(typeof call("producerOutstanding", producer), "number");
  });

  it("refuses handles of the other kind, and anything else", () => {
    for (const handle of [consumer, ...odd])
      assert.throws(() => call("producerOutstanding", handle), { code: "ERR_INVALID_ARG_TYPE" });
    for (const handle of [producer, ...odd])
      assert.throws(() => call("consumerTake", handle), { code: "ERR_INVALID_ARG_TYPE" });
  });

  it("refuses wrong configurations and arguments of open", () => {
    const open = (config: unknown) => call("producerOpen", config, false, false, false, noop);
    for (const value of odd) if (!(Array.isArray(value) && value.length === 0)) assert.throws(() => open(value));
    assert.throws(() => open(["no.such.property", "1"]), { code: "ERR_CONFIG" });
    assert.throws(() => open(["linger.ms", "many"]), { code: "ERR_CONFIG" });
    assert.throws(() => open(["acks", "1", "enable.idempotence", "true"]), { code: "ERR_CONFIG" });
    assert.throws(() => open(["linger.ms"]), { code: "ERR_INVALID_ARG_VALUE" });
    assert.throws(() => open(["client.id", "a\0b"]), { code: "ERR_INVALID_ARG_VALUE" });
    for (const value of odd)
      if (typeof value !== "function") assert.throws(() => call("producerOpen", NOWHERE, false, false, false, value));
    const group = [...NOWHERE, "group.id", "g"];
    assert.throws(() => call("consumerOpen", group, [], 10, 1000, false, noop));
    assert.throws(() => call("consumerOpen", NOWHERE, ["t"], 10, 1000, false, noop), { code: "ERR_CONFIG" });
    for (const limit of [0, -1, 2 ** 31, 1.5, Number.NaN]) {
      assert.throws(() => call("consumerOpen", group, ["t"], limit, 1000, false, noop), { code: "ERR_OUT_OF_RANGE" });
      assert.throws(() => call("consumerOpen", group, ["t"], 10, limit, false, noop), { code: "ERR_OUT_OF_RANGE" });
    }
    for (const value of odd) if (value !== 999) assert.throws(() => call("dieWithParent", value === 0 ? -1 : value));
  });

  it("refuses ranges outside of the buffer", () => {
    const topic = call("producerTopic", producer, "t");
    assert.equal(typeof topic, "number");
    const data = Buffer.from([4, 0, 0, 0, 97, 98, 99, 100]);
    const produce = (fields: readonly number[], timestamp = 0, count = 1, from = 0) => {
      call("producerOpenBatch", producer, 1, 1);
      try {
        const columns = Int32Array.from(fields);
        return call("producerProduce", producer, data, columns, Float64Array.of(timestamp), count, from);
      } finally {
        call("producerSealBatch", producer);
      }
    };
    const good = [Number(topic), -1, -1, -1, 0, 8, -1, -1];
    assert.equal(produce(good), 1);
    const change = (place: number, ...values: readonly number[]) =>
      good.with(place, values[0] ?? 0).with(place + 1, values[1] ?? 0);
    const outside = { code: "ERR_OUT_OF_RANGE" };
    for (const [start, end] of [
      [-2, 3],
      [0, 9],
      [5, 4],
      [0, -1],
      [8, 2 ** 31 - 1],
      [2 ** 31 - 1, 2 ** 31 - 1],
    ] as const) {
      assert.throws(() => produce(change(2, start, end)), outside, `key ${start} ${end}`);
      assert.throws(() => produce(change(4, start, end)), outside, `value ${start} ${end}`);
      assert.throws(() => produce(change(6, start, end)), outside, `headers ${start} ${end}`);
    }
    for (const handle of [-1, Number(topic) + 1, 2 ** 31 - 1, -(2 ** 31)])
      assert.throws(() => produce(good.with(0, handle)), outside);
    for (const partition of [-2, -(2 ** 31)]) assert.throws(() => produce(good.with(1, partition)), outside);
    for (const timestamp of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60])
      assert.throws(() => produce(good, timestamp), outside);
    for (const [count, from] of [
      [2, 0],
      [1, 2],
      [-1, 0],
      [1, -1],
    ] as const)
      assert.throws(() => produce(good, 0, count, from), outside);
    // Headers: a name longer than what is left, a value that is cut off, half a length.
    for (const [start, end] of [
      [0, 5],
      [0, 8],
      [4, 8],
      [0, 2],
    ] as const)
      assert.throws(() => produce(change(6, start, end)), outside);
    call("producerOpenBatch", producer, 2, 0);
    assert.throws(() => call("producerOpenBatch", producer, 3, 1), { code: "ERR_STATE" });
    assert.throws(
      () => call("producerProduce", producer, data, Int32Array.from(good), new Float64Array(1), 1, 0),
      outside,
    );
    call("producerSealBatch", producer);
    assert.throws(() => call("producerProduce", producer, data, Int32Array.from(good), new Float64Array(1), 1, 0), {
      code: "ERR_STATE",
    });
  });

  it("reads nothing from a buffer that was detached", () => {
    const topic = Number(call("producerTopic", producer, "t"));
    const data = new Uint8Array(8);
    const columns = Int32Array.of(topic, -1, -1, -1, 0, 8, -1, -1);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    call("producerOpenBatch", producer, 4, 1);
    const timestamps = new Float64Array(1);
    assert.throws(() => call("producerProduce", producer, data, columns, timestamps, 1, 0), {
      code: "ERR_OUT_OF_RANGE",
    });
    structuredClone(columns.buffer, { transfer: [columns.buffer] });
    assert.throws(() => call("producerProduce", producer, data, columns, timestamps, 1, 0), {
      code: "ERR_OUT_OF_RANGE",
    });
    call("producerSealBatch", producer);
  });

  it("throws for use after the close", async () => {
    const closed = call("producerOpen", NOWHERE, false, false, false, noop);
    call("producerClose", closed);
    while (call("producerReap", closed) !== true) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(call("producerReap", closed), true);
    assert.throws(() => call("producerTopic", closed, "t"), { code: "ERR_CLOSED" });
    call("producerClose", closed);
    call("producerFlush", closed);
    assert.equal(call("producerOutstanding", closed), 0);

    const left = call("consumerOpen", [...NOWHERE, "group.id", "g"], ["t"], 10, 1000, false, noop);
    call("consumerClose", left, true, false);
    while (call("consumerReap", left) !== true) await new Promise((resolve) => setImmediate(resolve));
    assert.throws(() => call("consumerCommit", left, 1, ["t"], new Int32Array(1), new BigInt64Array(1)), {
      code: "ERR_CLOSED",
    });
    assert.throws(() => call("consumerAcknowledge", left, [], new Int32Array(0), new BigInt64Array(0)), {
      code: "ERR_STATE",
    });
    call("consumerSeek", left, 2, ["t"], new Int32Array(1), new BigInt64Array(1));
    call("consumerPause", left, ["t"], new Int32Array(1), true);
    assert.equal(call("consumerTake", left), null);
    call("consumerClose", left, true, true);
  });
});

function attempt(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof Error);
  }
}
