import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { avroConverter, jsonSchemaConverter, protobufConverter } from "@headrace/schema-registry";
import {
  decimalSchema,
  fromUnscaled,
  INT8_SCHEMA,
  INT64_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  STRING_SCHEMA,
  structSchema,
  TIMESTAMP_SCHEMA,
} from "@headrace/sdk";
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

  it("registers JSON Schema, reads it back, and finds it again", async () => {
    const json = (config: Record<string, string> = {}) => compileFor(jsonSchemaConverter, server.compatibleUrl, config);
    const data = { schema: ORDER, value: { id: 2n ** 60n, note: null } };
    const payload = await encoded(json(), "json-orders", data);
    assert.deepEqual((await decoded(json(), "json-orders", payload)).value, data.value);
    const again = await encoded(json({ "auto.register.schemas": "false" }), "json-orders", data);
    assert.ok(payload !== null && again?.equals(payload) === true);
  });

  const protobuf = (config: Record<string, string> = {}) =>
    compileFor(protobufConverter, server.compatibleUrl, { "optional.for.nullables": "true", ...config });

  it("registers protobuf, reads it back, and finds it again", async () => {
    const schema = structSchema(
      {
        id: INT64_SCHEMA,
        note: OPTIONAL_STRING_SCHEMA,
        size: INT8_SCHEMA,
        price: decimalSchema(2),
        at: TIMESTAMP_SCHEMA,
      },
      "com.acme.Order",
    );
    const value = { id: 1n, note: null, size: 5, price: fromUnscaled(123n), at: 1_700_000_000_000n };
    const payload = await encoded(protobuf(), "proto-orders", { schema, value });
    const { schema: read, value: back } = await decoded(protobuf(), "proto-orders", payload);
    assert.deepEqual(back, value);
    assert.equal(read?.version, 1);
    const latest = { "auto.register.schemas": "false", "use.latest.version": "true" };
    for (const config of [{}, { "auto.register.schemas": "false" }, latest]) {
      const again = await encoded(protobuf(config), "proto-orders", { schema, value });
      assert.ok(payload !== null && again?.equals(payload) === true, JSON.stringify(config));
    }
  });

  it("reads protobuf that refers to other subjects", async () => {
    const post = async (subject: string, body: object): Promise<number> => {
      const response = await fetch(`${server.compatibleUrl}/subjects/${subject}/versions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ schemaType: "PROTOBUF", ...body }),
      });
      const { id } = (await response.json()) as { readonly id: number };
      return id;
    };
    await post("address", { schema: 'syntax = "proto3";\npackage acme;\nmessage Address { string city = 1; }' });
    const id = await post("homes-value", {
      schema: 'syntax = "proto3";\npackage acme;\nimport "address.proto";\nmessage Home { Address at = 1; }',
      references: [{ name: "address.proto", subject: "address", version: 1 }],
    });
    const frame = Buffer.alloc(6);
    frame.writeInt32BE(id, 1);
    const payload = Buffer.concat([frame, Buffer.from("0a030a0158", "hex")]);
    assert.deepEqual((await decoded(protobuf(), "homes", payload)).value, { at: { city: "X" } });
  });

  it("refuses protobuf that is not compatible", async () => {
    const schema = structSchema({ id: INT64_SCHEMA }, "com.acme.Strict");
    await encoded(protobuf(), "strict", { schema, value: { id: 1n } });
    await fetch(`${server.compatibleUrl}/config/strict-value`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ compatibility: "FULL" }),
    });
    const other = structSchema({ id: STRING_SCHEMA }, "com.acme.Strict");
    await assert.rejects(encoded(protobuf(), "strict", { schema: other, value: { id: "1" } }), {
      name: "DataError",
      message: /\(409\)/,
    });
  });
});
