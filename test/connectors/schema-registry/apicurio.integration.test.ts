import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { avroConverter } from "@headrace/schema-registry";
import { INT64_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, structSchema } from "@headrace/sdk";
import { type ApicurioServer, startApicurio } from "#support/apicurio-server.ts";
import { compileFor, decoded, encoded } from "./converting.ts";

const ORDER = structSchema({ id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA }, "com.acme.Order");

describe("converters with a real Apicurio Registry, by its compatible API", () => {
  let server: ApicurioServer;
  before(async () => {
    server = await startApicurio();
  });
  after(() => server.stop());
  const compile = (config: Record<string, string> = {}) => compileFor(avroConverter, server.compatibleUrl, config);

  it("registers, reads back, and gets the same id again", async () => {
    const payload = await encoded(compile(), "orders", { schema: ORDER, value: { id: 1n, note: "n" } });
    const again = await encoded(compile(), "orders", { schema: ORDER, value: { id: 1n, note: "n" } });
    assert.ok(payload !== null && again !== null && payload.equals(again));
    const { schema, value } = await decoded(compile(), "orders", payload);
    assert.deepEqual(value, { id: 1n, note: "n" });
    assert.deepEqual(schema, { ...ORDER, version: 1 });
    const known = await encoded(compile({ "auto.register.schemas": "false" }), "orders", {
      schema: ORDER,
      value: { id: 2n, note: null },
    });
    assert.equal(known?.readInt32BE(1), payload.readInt32BE(1));
    const latest = { "auto.register.schemas": "false", "use.latest.version": "true" };
    const byLatest = await encoded(compile(latest), "orders", { schema: ORDER, value: { id: 2n, note: null } });
    assert.ok(known !== null && byLatest?.equals(known) === true);
  });

  it("refuses a schema that is not compatible, and one that is not there", async () => {
    await encoded(compile(), "evolving", { schema: ORDER, value: { id: 1n, note: null } });
    const response = await fetch(`${server.compatibleUrl}/config/evolving-value`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ compatibility: "BACKWARD" }),
    });
    assert.equal(response.status, 200);
    const stricter = structSchema(
      { id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA, who: STRING_SCHEMA },
      "com.acme.Order",
    );
    const data = { schema: stricter, value: { id: 1n, note: null, who: "x" } };
    await assert.rejects(encoded(compile(), "evolving", data), {
      name: "DataError",
      message: /not compatible.*\(409\)/s,
    });
    const fixed = compile({ "auto.register.schemas": "false" });
    await assert.rejects(encoded(fixed, "unknown", data), { name: "DataError", message: /\(404\)/ });
    await assert.rejects(decoded(compile(), "evolving", Buffer.from("000000ffff", "hex")), {
      name: "DataError",
      message: /\(404\)/,
    });
  });
});
