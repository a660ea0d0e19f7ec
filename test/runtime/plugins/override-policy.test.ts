import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseOverridePolicy } from "#runtime/plugins/override-policy.ts";

const KEY = "connector.client.config.override.policy";
const refusal = (policy: string, setting: string) =>
  `The '${policy}' policy does not allow '${setting}' to be overridden in the connector configuration.`;

describe("client override policies (ConnectorClientPolicyIntegrationTest)", () => {
  const rows: readonly [string, Record<string, string>, string, string | null][] = [
    ["the default is All", {}, "max.request.size", null],
    ["All accepts", { [KEY]: "All" }, "acks", null],
    ["None refuses", { [KEY]: "None" }, "acks", refusal("None", "acks")],
    ["Principal accepts credentials", { [KEY]: "Principal" }, "sasl.jaas.config", null],
    [
      "Principal refuses the rest",
      { [KEY]: "Principal" },
      "max.request.size",
      refusal("Principal", "max.request.size"),
    ],
    ["an empty Allowlist refuses", { [KEY]: "Allowlist" }, "acks", refusal("Allowlist", "acks")],
    [
      "Allowlist accepts what it lists",
      { [KEY]: "Allowlist", "connector.client.config.override.allowlist": "acks, linger.ms" },
      "linger.ms",
      null,
    ],
    [
      "a policy is found by its class",
      { [KEY]: "org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy" },
      "acks",
      refusal("None", "acks"),
    ],
  ];
  for (const [fact, worker, setting, problem] of rows) {
    it(fact, () => assert.equal(parseOverridePolicy(worker).problem(setting), problem));
  }

  it("an unknown policy is an error", () => {
    assert.throws(() => parseOverridePolicy({ [KEY]: "org.x.Mine" }), /Class org\.x\.Mine could not be found/);
  });
});
