import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { cloudEventsConverter } from "@headrace/debezium";
import {
  decimalSchema,
  FLOAT64_SCHEMA,
  fromUnscaled,
  INT64_SCHEMA,
  mapSchema,
  NULL_VALUE,
  OPTIONAL_STRING_SCHEMA,
  optional,
  type SchemaAndValue,
  STRING_SCHEMA,
  structSchema,
  toDouble,
  type Value,
} from "@headrace/sdk";
import { decoded, encoded } from "../schema-registry/converting.ts";
import { type FakeRegistry, openFakeRegistry } from "../schema-registry/fake-registry.ts";

const ROW = structSchema(
  { id: INT64_SCHEMA, price: decimalSchema(2), ratio: FLOAT64_SCHEMA, tags: mapSchema(STRING_SCHEMA, INT64_SCHEMA) },
  "s.public.t.Value",
);
const SOURCE = structSchema(
  {
    connector: STRING_SCHEMA,
    name: STRING_SCHEMA,
    ts_ms: INT64_SCHEMA,
    db: STRING_SCHEMA,
    sequence: OPTIONAL_STRING_SCHEMA,
    txId: optional(INT64_SCHEMA),
    lsn: optional(INT64_SCHEMA),
  },
  "io.debezium.connector.postgresql.Source",
);
const BLOCK = structSchema(
  { id: STRING_SCHEMA, total_order: INT64_SCHEMA, data_collection_order: INT64_SCHEMA },
  "event.block",
);
const ENVELOPE = structSchema(
  {
    before: optional(ROW),
    after: optional(ROW),
    source: SOURCE,
    op: STRING_SCHEMA,
    ts_ms: optional(INT64_SCHEMA),
    transaction: optional(BLOCK),
  },
  "s.public.t.Envelope",
);
const SMALL = { id: 7n, price: fromUnscaled(1250n), ratio: 1, tags: new Map([["a", 2n ** 60n]]) };

function event(connector = "postgresql", after: Value = SMALL): SchemaAndValue {
  const source = { connector, name: "s", ts_ms: 1_700_000_000_123n, db: "shop", sequence: null, txId: 5n, lsn: 9n };
  const transaction = { id: "5:9", total_order: 1n, data_collection_order: 2n };
  return { schema: ENVELOPE, value: { before: null, after, source, op: "c", ts_ms: 1n, transaction } };
}

const compile = (config: Record<string, string> = {}) =>
  cloudEventsConverter.compile(cloudEventsConverter.config.parse(config), false);
const faultsOf = (config: Record<string, string>) =>
  cloudEventsConverter.config.safeParse(config).error?.issues.map((issue) => issue.path.join("."));
/** The data as schemaless data. */
const LOOSE = {
  before: null,
  after: { id: 7, price: fromUnscaled(1250n), ratio: toDouble(1), tags: { a: 2n ** 60n } },
};

describe("cloud-events", () => {
  let registry: FakeRegistry;
  before(async () => {
    registry = await openFakeRegistry();
  });
  after(() => registry.close());

  it("writes a change event as a CloudEvent", async () => {
    const payload = await encoded(compile(), "t", event());
    const { data, ...attributes } = JSON.parse(String(payload));
    assert.deepEqual(attributes, {
      id: "name:s;lsn:9;txId:5;sequence:null",
      source: "/debezium/postgresql/s",
      specversion: "1.0",
      type: "io.debezium.connector.postgresql.DataChangeEvent",
      time: "2023-11-14T22:13:20.123Z",
      datacontenttype: "application/json",
      iodebeziumop: "c",
      iodebeziumconnector: "postgresql",
      iodebeziumname: "s",
      iodebeziumtsms: "1700000000123",
      iodebeziumdb: "shop",
      iodebeziumsequence: null,
      iodebeziumtxId: "5",
      iodebeziumlsn: "9",
      iodebeziumtxid: "5:9",
      iodebeziumtxtotalorder: "1",
      iodebeziumtxdatacollectionorder: "2",
    });
    assert.equal(data.schema.name, "io.debezium.connector.postgresql.Data");
    assert.deepEqual(data.payload, { before: null, after: { id: 7, price: "BOI=", ratio: 1, tags: { a: 2 ** 60 } } });
  });

  it("reads what it wrote, with and without schemas", async () => {
    const numeric = { "json.decimal.format": "NUMERIC" };
    for (const config of [{}, numeric]) {
      const payload = await encoded(compile(config), "t", event());
      const { schema, value } = await decoded(compile(config), "t", payload);
      assert.equal(schema, null);
      assert.deepEqual((value as { readonly data: Value }).data, LOOSE);
    }
    const bare = { "json.schemas.enable": "false", "extension.attributes.enable": "false" };
    const { value } = await decoded(compile(bare), "t", await encoded(compile(bare), "t", event()));
    const { data, ...attributes } = value as { readonly data: Value };
    assert.deepEqual(data, { before: null, after: { ...LOOSE.after, price: "BOI=" } });
    assert.deepEqual(Object.keys(attributes), ["id", "source", "specversion", "type", "time", "datacontenttype"]);
  });

  it("writes and reads data in Avro, in events of JSON and of Avro", async () => {
    const avro = { "data.serializer.type": "avro", "avro.schema.registry.url": registry.url };
    const payload = await encoded(compile(avro), "mixed", event());
    const json = JSON.parse(String(payload));
    assert.equal(json.dataschema, `${registry.url}/schemas/ids/${Buffer.from(json.data, "base64").readInt32BE(1)}`);
    assert.equal(json.datacontenttype, "application/avro");
    const mixed = await decoded(compile(avro), "mixed", payload);
    assert.deepEqual((mixed.value as { readonly data: Value }).data, LOOSE);

    const all = { ...avro, "serializer.type": "avro" };
    const whole = await encoded(compile(all), "whole", event());
    assert.ok(registry.requests.includes("POST /subjects/whole-data-value/versions"));
    assert.ok(registry.requests.includes("POST /subjects/whole-value/versions"));
    const { schema, value } = await decoded(compile(all), "whole", whole);
    assert.equal(schema?.name, "s.shop.CloudEvents.Envelope");
    assert.deepEqual((value as { readonly data: Value }).data, { before: null, after: SMALL });
    assert.equal(schema?.fields?.find((field) => field.name === "data")?.schema.type, "STRUCT");
    await assert.rejects(decoded(compile({ ...all, "schema.cloudevents.name": "x" }), "whole", whole), {
      name: "DataError",
      message: /not a CloudEvent/,
    });
    const asked = registry.requests.length;
    const converter = compile(all);
    await encoded(converter, "kept", event());
    await encoded(converter, "kept", event());
    assert.equal(registry.requests.length, asked + 2);
  });

  it("makes ids as each of Debezium's connectors does", async () => {
    const fields = {
      file: STRING_SCHEMA,
      pos: INT64_SCHEMA,
      change_lsn: STRING_SCHEMA,
      scn: STRING_SCHEMA,
      ord: INT64_SCHEMA,
    };
    const source = structSchema(
      {
        ...fields,
        commit_lsn: STRING_SCHEMA,
        event_serial_no: INT64_SCHEMA,
        commit_scn: STRING_SCHEMA,
        lcr_position: OPTIONAL_STRING_SCHEMA,
        connector: STRING_SCHEMA,
        name: STRING_SCHEMA,
        ts_ms: INT64_SCHEMA,
        db: STRING_SCHEMA,
      },
      "Source",
    );
    const schema = structSchema(
      {
        before: optional(ROW),
        after: optional(ROW),
        updateDescription: OPTIONAL_STRING_SCHEMA,
        source,
        op: STRING_SCHEMA,
      },
      "m.Envelope",
    );
    const ids = {
      mysql: "name:s;file:f;pos:4",
      mariadb: "name:s;file:f;pos:4",
      sqlserver: "name:s;change_lsn:a;commit_lsn:b;event_serial_no:2",
      oracle: "name:s;scn:1;commit_scn:2;lcr_position:null",
      mongodb: "name:s;ts:0;ord:3",
    };
    for (const [connector, id] of Object.entries(ids)) {
      const values = {
        ...{
          file: "f",
          pos: 4n,
          change_lsn: "a",
          commit_lsn: "b",
          event_serial_no: 2n,
          scn: "1",
          commit_scn: "2",
          lcr_position: null,
        },
        ...{ ord: 3n, connector, name: "s", ts_ms: 0n, db: "d" },
      };
      const value = { before: null, after: null, updateDescription: "u", source: values, op: "u" };
      const json = JSON.parse(
        String(await encoded(compile({ "json.schemas.enable": "false" }), "t", { schema, value })),
      );
      assert.equal(json.id, id);
      const members = {
        mariadb: ["before", "after", "updateDescription", "source", "op"],
        mongodb: ["before", "after", "updateDescription"],
      };
      assert.deepEqual(Object.keys(json.data), members[connector as keyof typeof members] ?? ["before", "after"]);
    }
  });

  it("gives null for what is no change event, and says what is none when read", async () => {
    const converter = compile();
    assert.equal(await encoded(converter, "t", NULL_VALUE), null);
    assert.equal(await encoded(converter, "t", { schema: STRING_SCHEMA, value: "heartbeat" }), null);
    assert.deepEqual(await decoded(converter, "t", null), NULL_VALUE);
    await assert.rejects(encoded(converter, "t", event("unknown")), {
      name: "DataError",
      message: 'No usable CloudEvents converters for connector type "unknown"',
    });
    for (const [text, message] of [
      ['{"id":"1","source":"s","specversion":"1.0"}', /not a CloudEvent/],
      ["[1]", /not a CloudEvent/],
      ["{", /serialization error/],
      ['{"id":"1","source":"s","specversion":"1.0","type":"t","data":{"a":1}}', /no schema and payload/],
    ] as const) {
      await assert.rejects(decoded(converter, "t", Buffer.from(text)), { name: "DataError", message }, text);
    }
    const other = Buffer.from('{"id":"1","source":"s","specversion":"1.0","type":"t","data":{"a":1}}');
    const { value } = await decoded(compile({ "json.schemas.enable": "false" }), "t", other);
    assert.deepEqual((value as { readonly data: Value }).data, { a: 1 });
  });

  it("refuses what it does not support, by the key", () => {
    assert.deepEqual(faultsOf({}), undefined);
    assert.deepEqual(faultsOf({ "metadata.source": "value,id:generate" }), undefined);
    assert.deepEqual(faultsOf({ "metadata.source": "header" }), ["metadata.source"]);
    assert.deepEqual(faultsOf({ "opentelemetry.tracing.attributes.enable": "true" }), [
      "opentelemetry.tracing.attributes.enable",
    ]);
    assert.deepEqual(faultsOf({ "serializer.type": "avro" }), ["data.serializer.type"]);
    assert.deepEqual(faultsOf({ "data.serializer.type": "avro" }), ["avro.schema.registry.url"]);
    assert.deepEqual(
      faultsOf({ "data.serializer.type": "avro", "avro.schema.registry.url": "http://r", "avro.max.retries": "x" }),
      ["avro.max.retries"],
    );
  });
});
