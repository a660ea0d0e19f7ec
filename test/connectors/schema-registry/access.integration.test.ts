import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { avroConverter } from "@headrace/schema-registry";
import { type Converter, INT64_SCHEMA, OPTIONAL_STRING_SCHEMA, structSchema } from "@headrace/sdk";
import { type Certificates, createCertificates, PKCS12_PASSWORD } from "#dev/kafka/certificates.ts";
import { type ApicurioServer, startApicurio } from "#support/apicurio-server.ts";
import { startTokenEndpoint } from "#support/token-endpoint.ts";
import { compileAvro } from "../../../connectors/schema-registry/src/avro-converter.ts";
import { createRegistryClient } from "../../../connectors/schema-registry/src/client/registry.ts";
import { compileFor, encoded } from "./converting.ts";
import { openRegistryGate, type RegistryGate } from "./registry-gate.ts";

const ORDER = structSchema({ id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA }, "com.acme.Order");
const order = { schema: ORDER, value: { id: 1n, note: "n" } };
const SSL = "schema.registry.ssl";

let registry: ApicurioServer;
let certificates: Certificates;
let dir: string;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), "headrace-registry-"));
  [registry, certificates] = await Promise.all([startApicurio(), createCertificates(dir)]);
});
after(async () => {
  await registry.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function withGates(count: number, use: (...gates: RegistryGate[]) => Promise<void>, tls?: object): Promise<void> {
  const gates = await Promise.all(Array.from({ length: count }, () => openRegistryGate(registry.compatibleUrl, tls)));
  try {
    await use(...gates);
  } finally {
    await Promise.all(gates.map((gate) => gate.close()));
  }
}
const withGate = (use: (gate: RegistryGate) => Promise<void>, tls?: object) =>
  withGates(1, async (gate) => use(gate ?? assert.fail("no gate")), tls);

let topics = 0;
/** Writes a record to a topic of its own, so that the registry has to be asked. */
async function write(converter: Converter): Promise<void> {
  topics += 1;
  assert.ok((await encoded(converter, `topic-${topics}`, order)) !== null);
}
const read = (path: string) => readFileSync(path, "utf8");

describe("a registry with TLS", () => {
  const server = () => ({ cert: read(certificates.broker), key: read(certificates.broker) });
  const mutual = () => ({ ...server(), ca: read(certificates.ca), requestCert: true, rejectUnauthorized: true });
  const trusted = () => ({ [`${SSL}.truststore.location`]: certificates.ca });

  it("is reached with its own authority, from a file or as text", () =>
    withGate(async ({ url, arrived }) => {
      await write(compileFor(avroConverter, url, { ...trusted(), [`${SSL}.truststore.type`]: "pem" }));
      await write(compileFor(avroConverter, url, { [`${SSL}.truststore.certificates`]: read(certificates.ca) }));
      assert.equal(arrived.length, 2);
    }, server()));

  it("is not reached with another authority, nor with none of its own", () =>
    withGate(async ({ url, port, arrived }) => {
      const other = { [`${SSL}.truststore.location`]: certificates.otherCa };
      for (const config of [{}, other])
        await assert.rejects(write(compileFor(avroConverter, url, config)), {
          name: "RetriableError",
          message: new RegExp(`the schema registry localhost:${port} cannot be reached: .*certificate`),
        });
      assert.deepEqual(arrived, []);
    }, server()));

  it("is not reached under a name that its certificate does not have, unless names are not checked", () =>
    withGate(async ({ url, arrived }) => {
      const byAddress = url.replace("localhost", "127.0.0.1");
      await assert.rejects(write(compileFor(avroConverter, byAddress, trusted())), {
        name: "RetriableError",
        message: /cannot be reached: .*IP: 127\.0\.0\.1 is not in the cert's list/,
      });
      assert.deepEqual(arrived, []);
      const anyName = { ...trusted(), [`${SSL}.endpoint.identification.algorithm`]: "" };
      await write(compileFor(avroConverter, byAddress, anyName));
      const otherAuthority = { ...anyName, [`${SSL}.truststore.location`]: certificates.otherCa };
      await assert.rejects(write(compileFor(avroConverter, byAddress, otherAuthority)), /certificate/);
    }, server()));

  it("that asks for a certificate gets the client's: PEM files and texts, with a password or without, and PKCS #12", () =>
    withGate(async ({ url, arrived }) => {
      await assert.rejects(write(compileFor(avroConverter, url, trusted())), {
        name: "RetriableError",
        message: /cannot be reached: .*certificate required/i,
      });
      assert.deepEqual(arrived, []);
      const lockedKey = execFileSync(
        "openssl",
        ["pkcs8", "-topk8", "-in", certificates.clientKey, "-passout", "pass:locked"],
        { encoding: "utf8" },
      );
      const chain = { [`${SSL}.keystore.certificate.chain`]: read(certificates.clientCertificate) };
      const stores: readonly Record<string, string>[] = [
        { [`${SSL}.keystore.location`]: certificates.client },
        { ...chain, [`${SSL}.keystore.key`]: read(certificates.clientKey) },
        { ...chain, [`${SSL}.keystore.key`]: lockedKey, [`${SSL}.key.password`]: "locked" },
        {
          [`${SSL}.keystore.type`]: "PKCS12",
          [`${SSL}.keystore.location`]: certificates.clientPkcs12,
          [`${SSL}.keystore.password`]: PKCS12_PASSWORD,
        },
      ];
      for (const store of stores) await write(compileFor(avroConverter, url, { ...trusted(), ...store }));
      assert.equal(arrived.length, stores.length);
    }, mutual()));

  it("is not tried with keys and certificates that cannot be used", () => {
    const compile = (config: Record<string, string>) => () => compileFor(avroConverter, "https://localhost:1", config);
    const message = (pattern: RegExp) => (error: unknown) => {
      assert.ok(error instanceof Error && error.name === "ConfigError", String(error));
      assert.match(error.message, pattern);
      assert.doesNotMatch(error.message, /secret-canary|BEGIN/);
      return true;
    };
    assert.throws(
      compile({ [`${SSL}.truststore.location`]: join(dir, "absent") }),
      message(/truststore\.location: .*absent cannot be read/),
    );
    assert.throws(
      compile({ [`${SSL}.truststore.certificates`]: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" }),
      message(/truststore\.\*: the certificates or the key cannot be used/),
    );
    assert.throws(
      compile({
        [`${SSL}.keystore.type`]: "PKCS12",
        [`${SSL}.keystore.location`]: certificates.clientPkcs12,
        [`${SSL}.keystore.password`]: "secret-canary",
      }),
      message(/keystore\.\*: the certificates or the key cannot be used: mac verify failure/),
    );
    const foreign = read(join(dir, "other-ca.key"));
    assert.throws(
      compile({
        [`${SSL}.keystore.certificate.chain`]: read(certificates.clientCertificate),
        [`${SSL}.keystore.key`]: foreign,
      }),
      message(/keystore\.\*: .*key values mismatch/),
    );
    assert.throws(compile({ [`${SSL}.truststore.type`]: "PKCS12" }), /truststore\.type/);
  });
});

describe("a registry that wants to know who asks", () => {
  const basic = (info: string) => `Basic ${Buffer.from(info).toString("base64")}`;

  it("gets user and password from the URL, the configuration, or a login module of SASL", () =>
    withGate(async (gate) => {
      gate.decide = ({ headers }) => (headers.authorization === basic('me:p@"ss') ? "pass" : 401);
      await write(compileFor(avroConverter, gate.url.replace("//", "//me:p%40%22ss@")));
      const configs: readonly Record<string, string>[] = [
        { "basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": 'me:p@"ss' },
        { "basic.auth.credentials.source": "user_info", "schema.registry.basic.auth.user.info": 'me:p@"ss' },
        {
          "basic.auth.credentials.source": "SASL_INHERIT",
          "sasl.jaas.config":
            'org.apache.kafka.common.security.scram.ScramLoginModule required username="me" password="p@\\"ss";',
        },
      ];
      for (const config of configs) await write(compileFor(avroConverter, gate.url, config));
      await assert.rejects(write(compileFor(avroConverter, gate.url)), /refused the credentials \(401\)/);
      const wrong = { "basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "me:secret-canary" };
      await assert.rejects(write(compileFor(avroConverter, gate.url, wrong)), (error) => {
        assert.match(String(error), /refused the credentials \(401\) for a schema for subject/);
        return !String(error).includes("secret-canary");
      });
      const problems = avroConverter.config.safeParse({
        "schema.registry.url": gate.url,
        "basic.auth.credentials.source": "SASL_INHERIT",
        "sasl.jaas.config": 'PlainLoginModule required username="me";',
      });
      assert.deepEqual(
        problems.error?.issues.map(({ path }) => path[0]),
        ["sasl.jaas.config"],
      );
    }));

  it("gets a fixed token, with the cluster and the identity pool that it is for", () =>
    withGate(async (gate) => {
      gate.decide = ({ headers }) => (headers.authorization === "Bearer abc" ? "pass" : 403);
      const config = { "bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "abc" };
      const scope = { "bearer.auth.logical.cluster": "lsrc-1", "bearer.auth.identity.pool.id": "pool-1" };
      await write(compileFor(avroConverter, gate.url, { ...config, ...scope }));
      const { headers } = gate.arrived[0] ?? assert.fail("nothing arrived");
      assert.equal(headers["target-sr-cluster"], "lsrc-1");
      assert.equal(headers["confluent-identity-pool-id"], "pool-1");
      const other = { ...config, "bearer.auth.token": "def" };
      await assert.rejects(write(compileFor(avroConverter, gate.url, other)), /refused the credentials \(403\)/);
    }));

  for (const [lifetimeSeconds, tokens] of [
    [3600, 1],
    [0.001, 3],
  ] as const)
    it(`gets tokens of a token endpoint with their scope; of ${lifetimeSeconds} s: ${tokens} for 3 requests`, () =>
      withGate(async (gate) => {
        const endpoint = await startTokenEndpoint({ clientId: "client", clientSecret: "right", lifetimeSeconds });
        try {
          gate.decide = ({ headers }) => {
            const claims = Buffer.from(headers.authorization?.split(".")[1] ?? "", "base64url").toString();
            return /"scope":"read write"/.test(claims) ? "pass" : 401;
          };
          const config = {
            "bearer.auth.credentials.source": "OAUTHBEARER",
            "bearer.auth.issuer.endpoint.url": endpoint.url,
            "bearer.auth.client.id": "client",
            "bearer.auth.client.secret": "right",
            "bearer.auth.scope": "read write",
          };
          const converter = compileFor(avroConverter, gate.url, config);
          for (let n = 0; n < 3; n += 1) await write(converter);
          assert.equal(endpoint.given(), tokens);
          const wrong = { ...config, "bearer.auth.client.secret": "secret-canary" };
          await assert.rejects(write(compileFor(avroConverter, gate.url, wrong)), (error) => {
            assert.match(String(error), /token endpoint .* answered 401 .* check bearer\.auth\.client\.id/);
            return !String(error).includes("secret-canary");
          });
        } finally {
          await endpoint.stop();
        }
        const away = {
          "bearer.auth.credentials.source": "OAUTHBEARER",
          "bearer.auth.issuer.endpoint.url": `${endpoint.url.replace("//", "//me:secret-canary@")}?key=secret-canary`,
          "bearer.auth.client.id": "client",
          "bearer.auth.client.secret": "right",
        };
        await assert.rejects(write(compileFor(avroConverter, gate.url, away)), {
          name: "RetriableError",
          message: /the token endpoint of \S+:\d+ cannot be reached$/,
        });
      }));
});

describe("several URLs of a registry", () => {
  it("are asked in turn: the one that answered last first, the next when it is away or in trouble", () =>
    withGates(2, async (first, second) => {
      assert.ok(first !== undefined && second !== undefined);
      const counts = () => [first.arrived.length, second.arrived.length];
      const converter = compileFor(avroConverter, `${first.url}, ${second.url}`);
      await write(converter);
      assert.deepEqual(counts(), [1, 0]);
      first.decide = () => 503;
      await write(converter);
      assert.deepEqual(counts(), [2, 1]);
      first.decide = () => "pass";
      await write(converter);
      assert.deepEqual(counts(), [2, 2]);
      await second.close();
      await write(converter);
      assert.deepEqual(counts(), [3, 2]);
      // A refusal is an answer: another URL would say the same.
      first.decide = () => 422;
      await assert.rejects(write(converter), { name: "DataError", message: /\(422\): as the test says/ });
      assert.deepEqual(counts(), [4, 2]);
    }));

  it("are asked in more rounds, with pauses, and then it is told which failed", () =>
    withGates(2, async (busy, gone) => {
      assert.ok(busy !== undefined && gone !== undefined);
      busy.decide = () => 429;
      await gone.close();
      const pauses: number[] = [];
      const settings = avroConverter.config.parse({
        "schema.registry.url": `${busy.url},${gone.url}`,
        "max.retries": "3",
        "retries.wait.ms": "1000",
        "retries.max.wait.ms": "3000",
      });
      const client = createRegistryClient({ settings, pause: async (ms) => void pauses.push(ms) });
      await assert.rejects(client.schemaById(1), {
        name: "RetriableError",
        message: /the schema registry localhost:\d+ cannot be reached: .*ECONNREFUSED/,
      });
      assert.deepEqual(pauses, [1000, 2000, 3000]);
      assert.equal(busy.arrived.length, 4);
    }));

  it("have to answer in time", () =>
    withGate(async (gate) => {
      gate.decide = () => "stall";
      const config = { "http.connect.timeout.ms": "60000", "http.read.timeout.ms": "50" };
      await assert.rejects(write(compileFor(avroConverter, gate.url, config)), {
        name: "RetriableError",
        message: /cannot be reached: no answer in time/,
      });
    }));
});

describe("the schemas of records", () => {
  const subjects = async () => (await (await fetch(`${registry.compatibleUrl}/subjects`)).json()) as readonly string[];

  it("are under subjects by topic, by record or by both, for keys and values", async () => {
    const url = registry.compatibleUrl;
    const strategy = "io.confluent.kafka.serializers.subject.";
    for (const isKey of [true, false]) {
      const side = isKey ? "key" : "value";
      const schema = structSchema({ id: INT64_SCHEMA }, `com.acme.${side}.Named`);
      const data = { schema, value: { id: 1n } };
      const compile = (name: string) =>
        compileFor(avroConverter, url, { [`${side}.subject.name.strategy`]: name }, isKey);
      await encoded(compile(`${strategy}TopicNameStrategy`), "strategies", data);
      await encoded(compile(`${strategy}RecordNameStrategy`), "strategies", data);
      await encoded(compile("TopicRecordNameStrategy"), "strategies", data);
    }
    const found = await subjects();
    for (const subject of [
      ...["strategies-key", "com.acme.key.Named", "strategies-com.acme.key.Named"],
      ...["strategies-value", "com.acme.value.Named", "strategies-com.acme.value.Named"],
    ])
      assert.ok(found.includes(subject), `${subject} is not among ${found.join()}`);
  });

  it("are not registered where that is not wanted", async () => {
    const fixed = compileFor(avroConverter, registry.compatibleUrl, { "auto.register.schemas": "false" });
    await assert.rejects(encoded(fixed, "not-registered", order), { name: "DataError", message: /\(404\)/ });
    assert.ok(!(await subjects()).includes("not-registered-value"));
  });

  it("are normalised by the registry where that is wanted", () =>
    withGate(async ({ url, arrived }) => {
      for (const normalize of ["true", "false"])
        for (const register of ["true", "false"]) {
          const config = { "normalize.schemas": normalize, "auto.register.schemas": register };
          await encoded(compileFor(avroConverter, url, config), "normal", order);
        }
      assert.deepEqual(
        arrived.map(({ method, path }) => `${method} ${path.replace(/^\/apis\/ccompat\/v7/, "")}`),
        [
          "POST /subjects/normal-value/versions?normalize=true",
          "POST /subjects/normal-value?normalize=true",
          "POST /subjects/normal-value/versions",
          "POST /subjects/normal-value",
        ],
      );
    }));

  it("are the latest of their subject, which is asked for again when its time is over", () =>
    withGate(async ({ url, arrived }) => {
      let now = 0;
      const settings = avroConverter.config.parse({
        "schema.registry.url": url,
        "max.retries": "0",
        "auto.register.schemas": "false",
        "use.latest.version": "true",
        "latest.cache.ttl.sec": "60",
      });
      const converter = compileAvro(settings, false, createRegistryClient({ settings }), () => now);
      const older = await encoded(compileFor(avroConverter, url), "latest", order);
      assert.ok(older !== null);
      assert.deepEqual(await encoded(converter, "latest", order), older);
      const wider = structSchema(
        { id: INT64_SCHEMA, note: OPTIONAL_STRING_SCHEMA, more: OPTIONAL_STRING_SCHEMA },
        "com.acme.Order",
      );
      const data = { schema: wider, value: { id: 1n, note: "n", more: null } };
      const newer = await encoded(compileFor(avroConverter, url), "latest", data);
      assert.ok(newer !== null && newer.readInt32BE(1) !== older.readInt32BE(1));
      now = 59_000;
      assert.deepEqual(await encoded(converter, "latest", order), older);
      now = 60_000;
      assert.deepEqual(await encoded(converter, "latest", order), newer);
      const asked = arrived.filter(({ path }) => path.endsWith("/versions/latest"));
      assert.equal(asked.length, 2);
    }));

  it("are kept, up to their number", () =>
    withGate(async ({ url, arrived }) => {
      for (const [size, requests] of [
        ["2", 2],
        ["1", 6],
      ] as const) {
        arrived.length = 0;
        const converter = compileFor(avroConverter, url, { "schemas.cache.config": size });
        for (let n = 0; n < 3; n += 1)
          // Made anew each time: what the converter knows by the schema object is no part of this.
          for (const name of ["A", "B"]) {
            const schema = structSchema({ id: INT64_SCHEMA }, `com.acme.kept.${name}`);
            await encoded(converter, `kept-${name}`, { schema, value: { id: 1n } });
          }
        assert.equal(arrived.length, requests, `schemas.cache.config=${size}`);
      }
    }));
});
