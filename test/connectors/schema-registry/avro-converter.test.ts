import assert from "node:assert/strict";
import { after, beforeEach, describe, it } from "node:test";
import { avroConverter } from "@headrace/schema-registry";
import {
  INT32_SCHEMA,
  INT64_SCHEMA,
  NULL_VALUE,
  OPTIONAL_STRING_SCHEMA,
  optional,
  STRING_SCHEMA,
  structSchema,
} from "@headrace/sdk";
import { compileFor, decoded, encoded } from "./converting.ts";
import { type FakeRegistry, openFakeRegistry } from "./fake-registry.ts";

const ORDER = structSchema({ id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA }, "com.acme.Order");
const order = (id: bigint) => ({ schema: ORDER, value: { id, note: "n" } });

describe("avro converter", () => {
  const opened: FakeRegistry[] = [];
  let registry: FakeRegistry;
  beforeEach(async () => {
    registry = await openFakeRegistry();
    opened.push(registry);
  });
  after(() => Promise.all(opened.map((each) => each.close())));
  const compile = (config = {}, isKey = false) => compileFor(avroConverter, registry.url, config, isKey);

  it("writes magic byte, id and Avro, and reads it back with the subject's version", async () => {
    registry.add("other-value", '"int"');
    const converter = compile();
    const payload = await encoded(converter, "orders", order(5n));
    assert.equal(payload?.toString("hex"), `00${"00000002"}0a02026e`);
    const back = await decoded(compile(), "orders", payload);
    assert.deepEqual(back.value, { id: 5n, note: "n" });
    assert.deepEqual(back.schema, { ...ORDER, version: 1 });
    assert.deepEqual(registry.requests, [
      "POST /subjects/orders-value/versions",
      "GET /schemas/ids/2",
      "GET /schemas/ids/2/versions",
    ]);
  });

  it("asks once per schema, however many records wait for it", async () => {
    const converter = compile();
    await Promise.all(Array.from({ length: 20 }, (_, n) => encoded(converter, "t", order(BigInt(n)))));
    const again = structSchema({ id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA }, "com.acme.Order");
    const payload = await encoded(converter, "t", { schema: again, value: { id: 1n, note: null } });
    assert.equal(registry.requests.length, 1);
    await Promise.all(Array.from({ length: 20 }, () => decoded(converter, "t", payload)));
    assert.equal(registry.requests.length, 3);
  });

  it("keeps to null, texts and data without a schema", async () => {
    const converter = compile({}, true);
    assert.equal(await encoded(converter, "t", NULL_VALUE), null);
    assert.equal(await encoded(converter, "t", { schema: OPTIONAL_STRING_SCHEMA, value: null }), null);
    assert.deepEqual(await decoded(converter, "t", null), NULL_VALUE);
    assert.deepEqual(registry.requests, []);
    const text = await encoded(converter, "t", { schema: STRING_SCHEMA, value: "k" });
    assert.deepEqual(await decoded(converter, "t", text), { schema: { ...STRING_SCHEMA, version: 1 }, value: "k" });
    assert.equal(registry.requests[0], "POST /subjects/t-key/versions");
    const loose = await encoded(converter, "t", { schema: null, value: { a: [1, "x"] } });
    assert.deepEqual(await decoded(converter, "t", loose), { schema: null, value: { a: [1, "x"] } });
  });

  it("names subjects by the strategy", async () => {
    const strategies: readonly [string, string][] = [
      ["io.confluent.kafka.serializers.subject.TopicNameStrategy", "t-value"],
      ["io.confluent.kafka.serializers.subject.RecordNameStrategy", "com.acme.Order"],
      ["TopicRecordNameStrategy", "t-com.acme.Order"],
    ];
    for (const [strategy, subject] of strategies) {
      const converter = compile({ "value.subject.name.strategy": strategy });
      await encoded(converter, "t", { schema: optional(ORDER), value: { id: 1n, note: null } });
      assert.equal(registry.requests.at(-1), `POST /subjects/${subject}/versions`);
    }
    const byRecord = compile({ "value.subject.name.strategy": "RecordNameStrategy" });
    await assert.rejects(encoded(byRecord, "t", { schema: INT32_SCHEMA, value: 1 }), /needs records with a name/);
  });

  it("only looks schemas up when it is not to register them", async () => {
    const converter = compile({ "auto.register.schemas": "false" });
    await assert.rejects(encoded(converter, "t", order(1n)), {
      name: "DataError",
      message: "the schema registry does not have this schema in subject t-value (404): Schema not found",
    });
    const id = registry.add("known-value", '"long"');
    const payload = await encoded(converter, "known", { schema: INT64_SCHEMA, value: 3n });
    assert.equal(payload?.readInt32BE(1), id);
  });

  it("writes with the latest schema, fields by name", async () => {
    const latest =
      '{"type":"record","name":"Order","namespace":"com.acme","fields":[{"name":"extra","type":["null","int"],"default":null},{"name":"id","type":"long"}]}';
    const id = registry.add("t-value", latest);
    const converter = compile({ "auto.register.schemas": "false", "use.latest.version": "true" });
    const payload = await encoded(converter, "t", order(7n));
    assert.equal(payload?.readInt32BE(1), id);
    assert.deepEqual((await decoded(converter, "t", payload)).value, { extra: null, id: 7n });
    assert.equal(registry.requests[0], "GET /subjects/t-value/versions/latest");
  });

  it("follows references", async () => {
    registry.add(
      "address",
      '{"type":"record","name":"Address","namespace":"com.acme","fields":[{"name":"city","type":"string"}]}',
    );
    const references = [{ name: "com.acme.Address", subject: "address", version: 1 }];
    const text = '{"type":"record","name":"Person","namespace":"com.acme","fields":[{"name":"home","type":"Address"}]}';
    const id = registry.add("p-value", text, { references });
    const payload = Buffer.concat([Buffer.from([0, 0, 0, 0, id]), Buffer.from([4, 0x58, 0x59])]);
    const { value } = await decoded(compile(), "p", payload);
    assert.deepEqual(value, { home: { city: "XY" } });
  });

  it("remembers for a while what the registry does not admit", async () => {
    registry.fail = () => ({ status: 409, body: '{"error_code":409,"message":"READER_FIELD_MISSING_DEFAULT_VALUE"}' });
    const converter = compile();
    for (let n = 0; n < 3; n += 1) {
      await assert.rejects(encoded(converter, "t", order(1n)), {
        name: "DataError",
        message:
          "the schema registry does not admit a schema for subject t-value, which is not compatible with earlier ones (409): READER_FIELD_MISSING_DEFAULT_VALUE",
      });
    }
    assert.equal(registry.requests.length, 1);
  });

  it("tells where a registry redirects to, and what to do", async () => {
    const { host } = new URL(registry.url);
    const rows: readonly (readonly [status: number, location: string | null, told: RegExp])[] = [
      [
        301,
        "https://u:canary@new.example/api/subjects/t-value/versions?key=canary",
        /redirects to https:\/\/new\.example\/api\/subjects\/t-value\/versions \(301\), .*: put https:\/\/new\.example\/api into schema\.registry\.url$/,
      ],
      [302, "/login?for=canary", new RegExp(`redirects to http://${host}/login \\(302\\), .*login page`)],
      [307, null, new RegExp(`${host} answered with a redirect that leads nowhere \\(307\\)`)],
    ];
    for (const [status, location, told] of rows) {
      registry.fail = () => ({ status, body: "", ...(location !== null && { location }) });
      await assert.rejects(encoded(compile(), "t", order(1n)), (error) => {
        assert.ok(error instanceof Error && error.name === "Error");
        assert.match(error.message, told);
        assert.doesNotMatch(error.message, /canary/);
        return true;
      });
    }
  });

  it("tries again what may pass, at the next URL first, and then leaves it to errors.retry.timeout", async () => {
    const gone = await openFakeRegistry();
    await gone.close();
    const both = compileFor(avroConverter, `${gone.url},${registry.url}`);
    assert.ok((await encoded(both, "t", order(1n))) !== null);
    let faults = 2;
    registry.fail = () => (faults-- > 0 ? { status: 503, body: "" } : null);
    const patient = compile({ "max.retries": "2", "retries.wait.ms": "1" });
    assert.ok((await encoded(patient, "t2", order(1n))) !== null);
    registry.fail = () => ({ status: 500, body: "" });
    const converter = compile();
    await assert.rejects(encoded(converter, "t3", order(1n)), { name: "RetriableError", message: /answered 500/ });
    registry.fail = () => null;
    assert.ok((await encoded(converter, "t3", order(1n))) !== null);
  });

  it("authorises itself: basic from the URL or the configuration, or a token", async () => {
    const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
    await encoded(compileFor(avroConverter, registry.url.replace("//", "//u:p%40@")), "a", order(1n));
    assert.equal(registry.authorizations.at(-1), basic("u:p@"));
    const info = { "basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "me:secret" };
    await encoded(compile(info), "b", order(1n));
    assert.equal(registry.authorizations.at(-1), basic("me:secret"));
    const bearer = { "bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "abc" };
    await encoded(compile(bearer), "c", order(1n));
    assert.equal(registry.authorizations.at(-1), "Bearer abc");
    registry.fail = () => ({ status: 401, body: '{"error_code":401,"message":"Unauthorized"}' });
    await assert.rejects(encoded(compile(info), "d", order(1n)), /refused the credentials \(401\)/);
  });

  it("gets tokens from a token endpoint, and a new one when it is refused", async () => {
    let tokens = 0;
    let refuse = false;
    registry.fail = (path) => {
      if (path === "/token") {
        tokens += 1;
        return { status: 200, body: JSON.stringify({ access_token: `t${tokens}`, expires_in: 3600 }) };
      }
      const refused = refuse ? { status: 401, body: "{}" } : null;
      refuse = false;
      return refused;
    };
    const converter = compile({
      "bearer.auth.credentials.source": "OAUTHBEARER",
      "bearer.auth.issuer.endpoint.url": `${registry.url}/token`,
      "bearer.auth.client.id": "id",
      "bearer.auth.client.secret": "secret",
    });
    await Promise.all([encoded(converter, "a", order(1n)), encoded(converter, "b", order(1n))]);
    assert.equal(tokens, 1);
    refuse = true;
    await encoded(converter, "c", order(1n));
    assert.equal(registry.authorizations.at(-1), "Bearer t2");
  });

  it("gets one new token when several requests at a time are refused with the old one", async () => {
    let tokens = 0;
    let expired = "";
    registry.fail = (path) => {
      if (path === "/token") {
        tokens += 1;
        return { status: 200, body: JSON.stringify({ access_token: `t${tokens}`, expires_in: 3600 }) };
      }
      return registry.authorizations.at(-1) === expired ? { status: 401, body: "{}" } : null;
    };
    const converter = compile({
      "bearer.auth.credentials.source": "OAUTHBEARER",
      "bearer.auth.issuer.endpoint.url": `${registry.url}/token`,
      "bearer.auth.client.id": "id",
      "bearer.auth.client.secret": "secret",
    });
    await encoded(converter, "a", order(1n));
    expired = "Bearer t1";
    const payloads = await Promise.all(["b", "c", "d"].map((topic) => encoded(converter, topic, order(1n))));
    assert.ok(payloads.every((payload) => payload !== null));
    assert.equal(tokens, 2);
  });

  it("says what is wrong with payloads and configurations", async () => {
    const converter = compile();
    await assert.rejects(decoded(converter, "t", Buffer.from('{"a":1}')), /Unknown magic byte.*0x7b/);
    await assert.rejects(decoded(converter, "t", Buffer.alloc(0)), /it is empty/);
    await assert.rejects(decoded(converter, "t", Buffer.from("0000000063", "hex")), {
      name: "DataError",
      message: "the schema registry does not have schema 99 (404): Schema not found",
    });
    const problems = (config: Record<string, string>) =>
      avroConverter.config
        .safeParse({ "schema.registry.url": registry.url, ...config })
        .error?.issues.map((each) => each.path[0]);
    assert.deepEqual(problems({}), undefined);
    assert.deepEqual(problems({ "schema.registry.url": "registry:8081" }), ["schema.registry.url"]);
    assert.deepEqual(problems({ "use.latest.version": "true" }), ["use.latest.version"]);
    assert.deepEqual(problems({ "basic.auth.credentials.source": "USER_INFO" }), ["basic.auth.user.info"]);
    assert.deepEqual(problems({ "value.subject.name.strategy": "Mine" }), ["value.subject.name.strategy"]);
  });
});
