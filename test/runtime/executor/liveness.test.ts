import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { watchExecutor } from "#runtime/executor/liveness.ts";

const TIMEOUT_MS = 300;

/** Watches an executor that does `answer` to each ping; resolves with why it was killed, or null after so many answers. */
async function watched(
  answers: number,
  answer: (ping: number, signal: AbortSignal) => Promise<void>,
  blockedTimeoutMs = TIMEOUT_MS,
) {
  const stop = new AbortController();
  let pings = 0;
  let answered = 0;
  let killed: string | null = null;
  await watchExecutor(
    {
      async ping(signal) {
        pings += 1;
        await answer(pings, signal);
        signal.throwIfAborted();
        return { memoryBytes: 1 };
      },
      closed: new AbortController().signal,
      blockedTimeoutMs,
      memoryMaxBytes: null,
      pinged: () => {},
      tell() {
        answered += 1;
        if (answered === answers) stop.abort();
      },
      kill(reason) {
        killed = reason;
        stop.abort();
      },
    },
    stop.signal,
  );
  return killed;
}

/** This process stands still, timers and answers with it. */
const standStill = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const silence = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

describe("watching an executor", () => {
  it("kills one that does not answer in time", async () => {
    const reason = await watched(2, (ping, signal) => (ping === 1 ? Promise.resolve() : silence(signal)));
    assert.equal(reason, `event loop blocked for more than ${TIMEOUT_MS} ms`);
  });

  it("does not take it for blocked because this process stood still", async () => {
    const reason = await watched(
      1,
      async (ping) => {
        if (ping === 1) standStill(4_500);
        await sleep(50); // The answer comes when this process goes on.
      },
      3_000,
    );
    assert.equal(reason, null);
  });

  it("kills one that does not answer though this process stood still before", async () => {
    const reason = await watched(1, async (ping, signal) => {
      if (ping === 1) standStill(TIMEOUT_MS + 1_500);
      await silence(signal);
    });
    assert.equal(reason, `event loop blocked for more than ${TIMEOUT_MS} ms`);
  });
});
