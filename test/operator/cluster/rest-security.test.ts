import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { restMounts, restProperties, restScheme, restVolumes } from "#operator/cluster/rest-security.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

const tokens: NonNullable<KafkaConnectSpec["rest"]>["tokens"] = [
  { name: "dashboard", role: "read", secretKeyRef: { name: "tokens", key: "one" } },
  { name: "pipeline", role: "admin", secretKeyRef: { name: "others", key: "two" } },
];

describe("security of the workers' REST", () => {
  it("is closed unless it is opened; Apache's workers are as Apache has them", () => {
    const cases: readonly (readonly [Partial<KafkaConnectSpec>, string, string | undefined])[] = [
      [{}, "https", "required"],
      [{ rest: {} }, "https", "required"],
      [{ rest: { security: "Closed" } }, "https", "required"],
      [{ rest: { security: "Open" } }, "http", undefined],
      [{ runtime: "Jvm" }, "http", undefined],
    ];
    for (const [spec, scheme, authentication] of cases) {
      const connect = kafkaConnect(spec);
      assert.equal(restScheme(connect.spec), scheme, JSON.stringify(spec));
      assert.equal(restProperties(connect)["headrace.rest.authentication"], authentication, JSON.stringify(spec));
    }
    assert.deepEqual(restProperties(kafkaConnect({ runtime: "Jvm" })), {});
    assert.deepEqual(restVolumes(kafkaConnect({ runtime: "Jvm" }).spec, "x"), []);
    assert.deepEqual(restMounts(kafkaConnect({ runtime: "Jvm" }).spec), []);
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
