import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NULL_VALUE, STRING_SCHEMA, Utf8Text } from "@headrace/sdk";
import { SinkIntake } from "#runtime/task/sink-intake.ts";
import { eventually } from "#support/eventually.ts";
import { inboundBatch } from "#support/fake-record-consumer.ts";

describe("SinkIntake", () => {
  it("keeps what text of a batch says that is kept aside, though its memory is filled again", async () => {
    const schema = Promise.withResolvers<void>();
    const place = { topic: "t", partition: 0, offset: 0n };
    const intake = new SinkIntake(async (conversion) => {
      const { data } = conversion.batch();
      const value = new Utf8Text(STRING_SCHEMA, data, 0, data.length);
      conversion.records.push({ ...place, key: NULL_VALUE, value, headers: [], timestamp: null, original: place });
      await schema.promise;
    }, 1);
    const batch = inboundBatch([{ offset: 0n, value: "grüße" }]);
    assert.equal(await intake.take(batch, [{ topic: "t", partition: 0, offset: 1n }]), null);
    batch.data.fill("x");
    schema.resolve();
    await eventually("it is ready", () => intake.ready()?.aborted);
    const converted = await intake.next();
    assert.deepEqual(
      converted?.records.map(({ value }) => value),
      [{ schema: STRING_SCHEMA, value: "grüße" }],
    );
  });
});
