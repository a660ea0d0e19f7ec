import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { listeners, restMounts, restProperties, restScheme, restVolumes } from "#operator/cluster/rest-security.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

const tokens: NonNullable<KafkaConnectSpec["rest"]>["tokens"] = [
  { name: "dashboard", role: "read", secretKeyRef: { name: "tokens", key: "one" } },
  { name: "pipeline", role: "admin", secretKeyRef: { name: "others", key: "two" } },
];

describe("security of the workers' REST", () => {
  it("is closed unless it is opened, of Apache's workers by certificates alone", () => {
    const cases: readonly (readonly [Partial<KafkaConnectSpec>, string, string | undefined])[] = [
      [{}, "https", "required"],
      [{ rest: {} }, "https", "required"],
      [{ rest: { security: "Closed" } }, "https", "required"],
      [{ rest: { security: "Open" } }, "http", undefined],
      [{ runtime: "Jvm" }, "https", undefined],
      [{ runtime: "Jvm", rest: { security: "Open" } }, "http", undefined],
    ];
    for (const [spec, scheme, authentication] of cases) {
      const connect = kafkaConnect(spec);
      assert.equal(restScheme(connect.spec), scheme, JSON.stringify(spec));
      assert.equal(restProperties(connect)["headrace.rest.authentication"], authentication, JSON.stringify(spec));
    }
  });

  it("of Apache's workers wants a certificate of everybody, but for who asks inside the pod", () => {
    const closed = kafkaConnect({ runtime: "Jvm", rest: { tokens } });
    const properties = restProperties(closed);
    assert.equal(properties["listeners.https.ssl.client.auth"], "required");
    assert.equal(properties["listeners.https.ssl.keystore.type"], "PKCS12");
    assert.equal(properties["rest.advertised.listener"], "https");
    assert.equal(properties["rest.advertised.host.name"], `\${env:POD_NAME}.my-connect-connect.ns.svc`);
    assert.match(properties["listeners.https.ssl.keystore.password"] ?? "", /^\$\{headrace:\/.*:keystore\.password\}$/);
    assert.equal(listeners(closed.spec, "10.0.0.1"), `https://10.0.0.1:8083,http://\${env:HEADRACE_LOOPBACK}:18083`);
    assert.deepEqual(restVolumes(closed.spec, "x"), [
      {
        name: "headrace-rest",
        secret: {
          secretName: "x",
          items: ["keystore.p12", "truststore.p12", "keystore.password"].map((key) => ({ key, path: key })),
        },
      },
    ]);
    const open = kafkaConnect({ runtime: "Jvm", rest: { security: "Open" } });
    assert.equal(listeners(open.spec, "10.0.0.1"), "http://10.0.0.1:8083");
    assert.equal(restProperties(open)["listeners.https.ssl.client.auth"], undefined);
    assert.ok(restProperties(open)["listeners.https.ssl.keystore.location"]?.endsWith("/keystore.p12"));
  });

  it("an open worker can call a closed one of its cluster, while the one replaces the other", () => {
    const connect = kafkaConnect({ rest: { security: "Open" } });
    assert.ok(restProperties(connect)["listeners.https.ssl.keystore.location"]?.endsWith("/keystore.pem"));
    assert.equal(restVolumes(connect.spec, "x").length, restMounts(connect.spec).length);
  });

  it("has tokens in folders by role, each under its name", () => {
    const connect = kafkaConnect({ rest: { tokens } });
    assert.deepEqual(restVolumes(connect.spec, "x").at(-1), {
      name: "headrace-rest-tokens",
      projected: {
        sources: [
          { secret: { name: "tokens", items: [{ key: "one", path: "read/dashboard" }] } },
          { secret: { name: "others", items: [{ key: "two", path: "admin/pipeline" }] } },
        ],
      },
    });
    assert.equal(restProperties(connect)["headrace.rest.tokens.dir"], "/opt/headrace/rest/tokens");
    const open = kafkaConnect({ rest: { security: "Open", tokens } });
    assert.equal(restProperties(open)["headrace.rest.tokens.dir"], undefined);
  });
});
