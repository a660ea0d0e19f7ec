import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NULL_VALUE, type SinkRecord } from "@headrace/sdk";
import { blackholeSink } from "#runtime/connectors/blackhole-sink.ts";
import { loggerSink } from "#runtime/connectors/logger-sink.ts";
import { sinkContext } from "#support/connector-contexts.ts";

const signal = new AbortController().signal;
const where = { topic: "t", partition: 0, offset: 7n };
const record: SinkRecord = {
  ...where,
  key: NULL_VALUE,
  value: { schema: null, value: "v" },
  headers: [],
  timestamp: null,
  original: where,
};

describe("blackhole sink", () => {
  it("takes records", async () => {
    const task = await blackholeSink.openTask({}, sinkContext().context, signal);
    await task.put([record], signal);
    await task.close();
  });
});

describe("logger sink", () => {
  it("writes a line per record, at its level", async () => {
    const { context, log } = sinkContext();
    const task = await loggerSink.openTask(loggerSink.config.parse({ "log.level": "warn" }), context, signal);
    await task.put([record, record], signal);
    assert.deepEqual(log.lines, ["warn record", "warn record"]);
  });
});
