import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createBackoff } from "#runtime/kafka/backoff.ts";
import { createCluster, parseAddress, unlessAborted, within } from "#runtime/kafka/cluster.ts";
import { isConnectionError, isRetriable } from "#runtime/kafka/errors.ts";
import { createErrorFromCode } from "#runtime/kafka/kafkajs.ts";
import { retrying } from "#runtime/kafka/retry.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { kafkaSettings } from "#support/topic-logs.ts";

const never = new Promise<never>(() => {});
const backoff = { retryBackoffMs: 1, retryBackoffMaxMs: 2 };
const options = { what: "do it", backoff, log: createSilentLog() };

describe("addresses", () => {
  for (const [server, expected] of [
    ["k1:9092", { host: "k1", port: 9092 }],
    ["10.0.0.1:1", { host: "10.0.0.1", port: 1 }],
    ["[fd00::1]:9092", { host: "fd00::1", port: 9092 }],
  ] as const) {
    it(`are read from ${server}`, () => assert.deepEqual(parseAddress(server), expected));
  }

  for (const server of ["", "k1", ":9092", "k1:", "k1:0", "k1:70000", "k1:http"]) {
    it(`are not read from ${JSON.stringify(server)}`, () => {
      assert.throws(() => parseAddress(server), { code: "config-invalid" });
    });
  }
});

describe("a cluster", () => {
  it("rejects with what passes when a broker is away that leads something", async () => {
    const cluster = createCluster(kafkaSettings("127.0.0.1:1"), createSilentLog());
    const error = await cluster.node(7, AbortSignal.timeout(10_000)).catch((reason: unknown) => reason);
    assert.ok(error instanceof Error && !isConnectionError(error) && isRetriable(error));
  });
});

describe("waiting", () => {
  it("ends with the signal", async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(never, controller.signal);
    controller.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(unlessAborted(never, controller.signal), /enough/);
  });

  it("leave nobody with a rejection that comes after the signal", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    try {
      const late = Promise.withResolvers<never>();
      await assert.rejects(unlessAborted(late.promise, AbortSignal.abort(new Error("enough"))), /enough/);
      late.reject(new Error("connection closed"));
      await setImmediate();
    } finally {
      process.removeListener("unhandledRejection", note);
    }
    assert.deepEqual(unhandled, []);
  });

  it("ends with its time, as a failed connection does", async () => {
    const error = await within(1, never, AbortSignal.timeout(10_000)).catch((reason: unknown) => reason);
    assert.ok(isConnectionError(error) && isRetriable(error));
  });
});

describe("back-off", () => {
  it("doubles up to its limit", () => {
    const { next, reset } = createBackoff({ retryBackoffMs: 100, retryBackoffMaxMs: 1000 }, () => 0.5);
    assert.deepEqual([next(), next(), next(), next(), next(), next()], [100, 200, 400, 800, 1000, 1000]);
    reset();
    assert.equal(next(), 100);
  });

  it("spreads by a fifth", () => {
    const settings = { retryBackoffMs: 100, retryBackoffMaxMs: 1000 };
    assert.equal(createBackoff(settings, () => 0).next(), 80);
    assert.equal(createBackoff(settings, () => 1).next(), 120);
  });
});

describe("retrying", () => {
  it("repeats what passes", async () => {
    let attempts = 0;
    const result = await retrying(
      options,
      async () => {
        attempts += 1;
        if (attempts < 4) throw createErrorFromCode(6);
        return "done";
      },
      AbortSignal.timeout(10_000),
    );
    assert.deepEqual([result, attempts], ["done", 4]);
  });

  it("stops at what does not pass, and says what was being done", async () => {
    const refused = retrying(options, () => Promise.reject(createErrorFromCode(29)), AbortSignal.timeout(10_000));
    await assert.rejects(refused, { code: "kafka", message: /^Could not do it: / });
  });

  it("names the last failure when time runs out", async () => {
    const controller = new AbortController();
    const attempt = async () => {
      queueMicrotask(() => controller.abort(new Error("time is up")));
      throw createErrorFromCode(5);
    };
    await assert.rejects(retrying(options, attempt, controller.signal), { code: "timeout", message: /leader/i });
  });

  it("rejects with the signal's reason if nothing was tried", async () => {
    const signal = AbortSignal.abort(new Error("stopped"));
    await assert.rejects(
      retrying(options, () => never, signal),
      /stopped/,
    );
  });
});
