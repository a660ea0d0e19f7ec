import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { referencesOf } from "#operator/cluster/references.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

describe("referencesOf", () => {
  const table: readonly [string, Partial<KafkaConnectSpec>, readonly string[], readonly string[]][] = [
    ["nothing", {}, [], []],
    [
      "trusted certificates, each Secret once",
      {
        tls: {
          trustedCertificates: [
            { secretName: "ca", certificate: "a.crt" },
            { secretName: "ca", certificate: "b.crt" },
          ],
        },
      },
      ["ca"],
      [],
    ],
    [
      "what the workers log in with",
      {
        authentication: {
          type: "plain",
          username: "u",
          passwordSecret: { secretName: "user", password: "password" },
        },
      },
      ["user"],
      [],
    ],
    [
      "log levels",
      { logging: { type: "external", valueFrom: { configMapKeyRef: { name: "levels", key: "k" } } } },
      [],
      ["levels"],
    ],
    [
      "what its configuration reads, each object once",
      {
        config: {
          a: `$\{secrets:one:x} $\{secrets:one:y} $\{configmaps:levels:z}`,
          b: `$\{secrets:elsewhere/two:x}`,
        },
        logging: { type: "external", valueFrom: { configMapKeyRef: { name: "levels", key: "k" } } },
      },
      ["one"],
      ["levels"],
    ],
    [
      "user and password of JMX",
      { runtime: "Jvm", jmxOptions: { authentication: { type: "password" } } },
      ["my-connect-kafka-connect-jmx"],
      [],
    ],
    ["no password of JMX", { jmxOptions: { authentication: { type: "password" } } }, [], []],
    ["no levels of its own", { logging: { type: "inline", loggers: {} } }, [], []],
  ];
  for (const [what, spec, secrets, configMaps] of table) {
    it(`finds ${what}`, () => assert.deepEqual(referencesOf(kafkaConnect(spec)), { secrets, configMaps }));
  }

  it("looks through a spec once, however often its status changes", () => {
    const connect = kafkaConnect({ config: { a: `$\{secrets:ns/one:x}` } });
    const first = referencesOf(connect);
    assert.equal(referencesOf({ ...connect, status: { observedGeneration: 2 } }), first);
    const elsewhere = { ...connect, metadata: { ...connect.metadata, namespace: "other" } };
    assert.deepEqual([first.secrets, referencesOf(elsewhere).secrets], [["one"], []]);
  });
});
