import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDeferredProducer } from "#runtime/kafka/deferred-producer.ts";
import type { OutboundRecord } from "#runtime/kafka/record-producer.ts";
import { createFakeProducer } from "#support/fake-record-producer.ts";

const RECORD: OutboundRecord = { topic: "t", partition: null, key: null, value: "v", headers: null, timestamp: null };
const never = new AbortController().signal;

function deferred() {
  const inner = createFakeProducer();
  const opened: string[] = [];
  const producer = createDeferredProducer(() => {
    opened.push("opened");
    return inner;
  });
  return { inner, opened, producer };
}

describe("a deferred producer", () => {
  it("is opened by the first record, once", async () => {
    const { inner, opened, producer } = deferred();
    assert.deepEqual([producer.takeSettled(), producer.outstanding()], [[], 0]);
    await producer.flush(never);
    assert.deepEqual(opened, []);
    assert.equal(await producer.send([RECORD], never), 1);
    assert.equal(await producer.send([RECORD], never), 2);
    assert.deepEqual(opened, ["opened"]);
    assert.equal(inner.batches.length, 2);
  });

  it("settles for those who have waited since before it was opened", async () => {
    const { inner, producer } = deferred();
    const settled = producer.settled(never);
    const number = await producer.send([RECORD], never);
    inner.settle(number);
    await settled;
    assert.deepEqual(
      producer.takeSettled().map(({ batch }) => batch),
      [number],
    );
  });

  it("gives up waiting when it is told to", async () => {
    const { producer } = deferred();
    const stop = new AbortController();
    const settled = producer.settled(stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(settled, /enough/);
    await assert.rejects(producer.send([RECORD], stop.signal), /enough/);
  });

  it("opens nothing once it is closed, and wakes who waits", async () => {
    const { opened, producer } = deferred();
    const settled = producer.settled(never);
    const rejected = assert.rejects(settled, /closed/);
    await producer.close();
    await rejected;
    await producer.close();
    await assert.rejects(producer.send([RECORD], never), /closed/);
    assert.deepEqual(opened, []);
  });

  it("closes what it has opened", async () => {
    const { inner, producer } = deferred();
    await producer.send([RECORD], never);
    await producer.close();
    assert.ok(inner.closed);
  });

  it("fails the send by which it could not be opened, and may be tried again", async () => {
    const inner = createFakeProducer();
    let fails = true;
    const producer = createDeferredProducer(() => {
      if (fails) throw new Error("refused");
      return inner;
    });
    await assert.rejects(producer.send([RECORD], never), /refused/);
    fails = false;
    assert.equal(await producer.send([RECORD], never), 1);
    await producer.close();
  });
});
