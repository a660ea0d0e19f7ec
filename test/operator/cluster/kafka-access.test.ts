import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Authentication } from "@headrace/contract";
import { kafkaAccess } from "#operator/cluster/kafka-access.ts";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

const TRUST = { trustedCertificates: [{ secretName: "ca", certificate: "ca.crt" }] };
const TRUSTED = { "ssl.truststore.type": "PEM", "ssl.truststore.location": "/opt/headrace/trust/ca.crt" };
const passwordOf = (type: "plain" | "scram-sha-256" | "scram-sha-512", username = "ada"): Authentication => ({
  type,
  username,
  passwordSecret: { secretName: "user", password: "pw" },
});
const FILE = (key: string) => `\${headrace:/opt/headrace/user:${key}}`;
const SECURITY = "org.apache.kafka.common.security";

describe("kafkaAccess", () => {
  const cases: readonly [string, Parameters<typeof kafkaAccess>[0], object, object | null][] = [
    ["nothing at all", {}, {}, null],
    ["TLS with public authorities", { tls: {} }, { "security.protocol": "SSL" }, null],
    ["TLS with authorities of one's own", { tls: TRUST }, { "security.protocol": "SSL", ...TRUSTED }, null],
    [
      "a client certificate",
      {
        tls: TRUST,
        authentication: { type: "tls", certificateAndKey: { secretName: "u", certificate: "u.crt", key: "u.key" } },
      },
      {
        "security.protocol": "SSL",
        ...TRUSTED,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": FILE("u.crt"),
        "ssl.keystore.key": FILE("u.key"),
      },
      { secretName: "u", keys: ["u.crt", "u.key"] },
    ],
    [
      "SCRAM-SHA-512 over TLS",
      { tls: TRUST, authentication: passwordOf("scram-sha-512") },
      {
        "security.protocol": "SASL_SSL",
        ...TRUSTED,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": `${SECURITY}.scram.ScramLoginModule required username="ada" password="${FILE("pw")}";`,
      },
      { secretName: "user", keys: ["pw"] },
    ],
    [
      "SCRAM-SHA-256 without TLS, with a weird name",
      { authentication: passwordOf("scram-sha-256", 'a."b\\c') },
      {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.jaas.config": `${SECURITY}.scram.ScramLoginModule required username="a.\\"b\\\\c" password="${FILE("pw")}";`,
      },
      { secretName: "user", keys: ["pw"] },
    ],
    [
      "PLAIN",
      { authentication: passwordOf("plain") },
      {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": `${SECURITY}.plain.PlainLoginModule required username="ada" password="${FILE("pw")}";`,
      },
      { secretName: "user", keys: ["pw"] },
    ],
    [
      "OAUTHBEARER",
      {
        tls: {},
        authentication: {
          type: "custom",
          sasl: true,
          config: { "sasl.mechanism": "OAUTHBEARER", "sasl.login.refresh.window.factor": 0.8 },
        },
      },
      {
        "security.protocol": "SASL_SSL",
        "sasl.login.refresh.window.factor": "0.8",
        "sasl.mechanism": "OAUTHBEARER",
      },
      null,
    ],
    [
      "a keystore of one's own",
      { tls: {}, authentication: { type: "custom", config: { "ssl.keystore.location": "/mnt/k.p12" } } },
      { "security.protocol": "SSL", "ssl.keystore.location": "/mnt/k.p12" },
      null,
    ],
  ];
  for (const [what, spec, properties, user] of cases) {
    it(`renders ${what}`, () => {
      const access = kafkaAccess(spec);
      assert.deepEqual(access.properties, properties);
      assert.deepEqual(access.user, user);
      assert.deepEqual([access.notApplied, access.problems], [[], []]);
    });
  }

  it("applies nothing but sasl.* and ssl.keystore.*", () => {
    const config = { "sasl.mechanism": "PLAIN", "bootstrap.servers": "x", "ssl.truststore.location": "y", z: null };
    const access = kafkaAccess({ authentication: { type: "custom", sasl: true, config } });
    assert.deepEqual(access.properties, { "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN" });
    assert.deepEqual(access.notApplied, ["bootstrap.servers", "ssl.truststore.location"]);
    assert.match(access.problems[0] ?? "", /^spec\.authentication\.config: z has no value/);
  });

  it("tells what is missing where no API server has looked", () => {
    assert.deepEqual(kafkaAccess({ authentication: { type: "tls" } }).problems, [
      "spec.authentication.certificateAndKey is missing",
    ]);
    assert.deepEqual(kafkaAccess({ authentication: { type: "plain" } }).problems, [
      "spec.authentication.username is missing",
    ]);
    assert.deepEqual(kafkaAccess({ authentication: { type: "plain", username: "a" } }).problems, [
      "spec.authentication.passwordSecret is missing",
    ]);
  });

  it("is repeated for each client of a Java worker", () => {
    const spec = { authentication: passwordOf("plain"), config: { "config.providers.headrace.class": "mine" } };
    const text = renderWorkerProperties(kafkaConnect({ ...spec, runtime: "Jvm" })).text;
    for (const prefix of ["", "producer.", "consumer.", "admin."]) {
      assert.match(text, new RegExp(`^${prefix}security\\.protocol=SASL_PLAINTEXT$`, "m"));
      assert.match(text, new RegExp(`^${prefix}sasl\\.jaas\\.config=.*headrace:/opt/headrace/user:pw`, "m"));
    }
    const own = renderWorkerProperties(kafkaConnect(spec)).text;
    assert.doesNotMatch(own, /^producer/m);
    assert.match(own, /^config\.providers\.headrace\.class=.*DirectoryConfigProvider$/m);
    assert.match(own, /^config\.providers\.headrace\.param\.worker\.only=true$/m);
  });
});
