import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addon } from "@headrace/native";
import { openRecordProducer } from "#runtime/kafka/native-producer.ts";

const WELL_AFTER_ITS_END_MS = 500;

describe("a producer that is closed", () => {
  it("tells whoever waits, also if its thread has ended before a wake could arrive", { timeout: 60_000 }, async (t) => {
    const { signal } = new AbortController();
    const producer = openRecordProducer({
      config: { "bootstrap.servers": "127.0.0.1:1", log_level: "0" },
      reportPositions: false,
      stopOnFailure: false,
    });
    const waiting = producer.settled(signal);
    const close = addon.producerClose;
    t.mock.method(addon, "producerClose", (handle: Parameters<typeof close>[0]) => {
      close(handle);
      // As on a machine that is busy with others: nothing else happens in this process meanwhile.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WELL_AFTER_ITS_END_MS);
    });
    await Promise.all([assert.rejects(waiting, /the producer is closed/), producer.close()]);
  });
});
