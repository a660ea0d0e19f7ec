import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { desire } from "#operator/cluster/desired.ts";
import { fixedOf, toEnvironment } from "#operator/cluster/environment.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

describe("a container's environment", () => {
  const of = (...pairs: readonly string[]) => pairs.map((pair) => ({ name: pair.slice(0, -2), value: pair.slice(-1) }));
  const table: readonly [string, readonly string[], readonly string[], readonly string[]][] = [
    ["has the operator's variables first", ["LOG_DIR=1"], ["A=1", "B=1"], ["LOG_DIR=1", "A=1", "B=1"]],
    ["has the user's instead of the operator's", ["POD_IP=1", "LOG_DIR=1"], ["LOG_DIR=2"], ["POD_IP=1", "LOG_DIR=2"]],
    [
      "keeps what must be the operator's",
      ["POD_IP=1", "HEADRACE_X=1"],
      ["HEADRACE_X=2", "POD_IP=2"],
      ["POD_IP=1", "HEADRACE_X=1"],
    ],
    ["lets the user have names that would be the operator's", [], ["HEADRACE_Y=2"], ["HEADRACE_Y=2"]],
    ["has the last of two of one name", [], ["A=1", "B=1", "A=2"], ["B=1", "A=2"]],
  ];
  for (const [what, own, users, expected] of table) {
    it(what, () => assert.deepEqual(toEnvironment(of(...own), of(...users)), of(...expected)));
  }

  it("tells which of the user's are not applied", () => {
    assert.deepEqual(fixedOf(of("POD_IP=1", "LOG_DIR=1"), of("LOG_DIR=2", "POD_IP=2", "A=2")), ["POD_IP"]);
  });

  it("has each name once in every container, whatever the user names, and says what is not applied", () => {
    const jvm: Partial<KafkaConnectSpec> = {
      runtime: "Jvm",
      jvmOptions: { "-Xmx": "1g", javaSystemProperties: [{ name: "a", value: "b" }] },
      rack: { type: "topology-label", topologyKey: "zone" },
      plugins: [
        { name: "p", artifacts: [{ type: "npm", url: "https://r/x.tgz", integrity: `sha512-${"A".repeat(86)}==` }] },
      ],
      build: {
        plugins: [
          { name: "m", artifacts: [{ type: "maven", group: "g", artifact: "a", version: "1" }] },
          { name: "j", artifacts: [{ type: "jar", url: "https://r/x.jar", insecure: true }] },
        ],
      },
    };
    const names = [
      ...["POD_IP", "NODE_NAME", "HEADRACE_SERVICE_ACCOUNT_DIR", "HEADRACE_LOOPBACK", "HOME", "LOG_DIR", "A", "A"],
      ...["KAFKA_OPTS", "KAFKA_HEAP_OPTS", "NODE_TLS_REJECT_UNAUTHORIZED"],
    ];
    const env = names.map((name) => ({ name, value: "mine" }));
    const connect = kafkaConnect({ ...jvm, template: { connectContainer: { env }, initContainer: { env } } });
    const { template, warnings } = desire(connect, "w", {
      credentials: { trusted: null, hash: "", problems: [] },
      operator: null,
      named: { secrets: [], configMaps: [] },
      loggingText: null,
      mayReadNodes: true,
    });
    const { containers = [], initContainers = [] } = template.spec ?? {};
    const all = [...containers, ...initContainers];
    assert.deepEqual(all.map(({ name }) => name).toSorted(), [
      ...["fetch-artifacts-insecure", "fetch-maven-0", "fetch-plugins", "my-connect-connect", "rack"],
    ]);
    for (const container of all) {
      const given = container.env?.map(({ name }) => name) ?? [];
      assert.deepEqual(given.toSorted(), [...new Set(given)].toSorted(), container.name);
    }
    const worker = containers[0]?.env ?? [];
    assert.equal(worker.find(({ name }) => name === "KAFKA_OPTS")?.value, "mine");
    assert.equal(worker.find(({ name }) => name === "POD_IP")?.value, undefined);
    const text = warnings.join("\n");
    assert.match(
      text,
      /^Not applied from spec\.template\.connectContainer\.env, .*: POD_IP, HEADRACE_SERVICE_ACCOUNT_DIR, HEADRACE_LOOPBACK\.$/m,
    );
    assert.match(
      text,
      /^Not applied, since .*: spec\.jvmOptions\.javaSystemProperties \(KAFKA_OPTS\), spec\.jvmOptions\.-Xms and -Xmx \(KAFKA_HEAP_OPTS\)\.$/m,
    );
  });
});
