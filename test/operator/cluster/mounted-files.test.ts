import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { filesAt, variableAt } from "#operator/cluster/mounted-files.ts";

type Template = NonNullable<KafkaConnectSpec["template"]>;
type Volumes = NonNullable<NonNullable<Template["pod"]>["volumes"]>;
type Mounts = NonNullable<NonNullable<Template["connectContainer"]>["volumeMounts"]>;

const filesOf = (volumes: Volumes, volumeMounts: Mounts, path: string) =>
  filesAt({ template: { pod: { volumes }, connectContainer: { volumeMounts } } }, path).map(
    ({ kind, name, key, optional, keyOptional }) =>
      `${kind} ${name} ${key}${optional ? " or none" : keyOptional ? "" : " for sure"}`,
  );

describe("filesAt", () => {
  const secret = { name: "v", secret: { secretName: "creds" } };
  const mount = { name: "v", mountPath: "/mnt/v" };
  const items = [{ key: "password", path: "kafka/pw.txt" }];
  const table: readonly [string, Volumes, Mounts, string, readonly string[]][] = [
    ["a key of a Secret", [secret], [mount], "/mnt/v/pw", ["Secret creds pw"]],
    ["a path that is not in its shortest form", [secret], [mount], "/mnt//v/./x/../pw", ["Secret creds pw"]],
    ["a key of a ConfigMap", [{ name: "v", configMap: { name: "urls" } }], [mount], "/mnt/v/a", ["ConfigMap urls a"]],
    [
      "a key under another name",
      [{ name: "v", secret: { secretName: "creds", items } }],
      [mount],
      "/mnt/v/kafka/pw.txt",
      ["Secret creds password for sure"],
    ],
    ["no key that is not mounted", [{ name: "v", secret: { secretName: "creds", items } }], [mount], "/mnt/v/pw", []],
    [
      "a single file",
      [secret],
      [{ name: "v", mountPath: "/mnt/pw.txt", subPath: "pw" }],
      "/mnt/pw.txt",
      ["Secret creds pw"],
    ],
    ["nothing where only the pod knows", [secret], [{ ...mount, subPathExpr: "$(POD_NAME)" }], "/mnt/v/pw", []],
    [
      "what the deeper of two mounts has",
      [secret, { name: "w", configMap: { name: "urls" } }],
      [mount, { name: "w", mountPath: "/mnt/v/w" }],
      "/mnt/v/w/a",
      ["ConfigMap urls a"],
    ],
    [
      "what may be missing",
      [{ name: "v", secret: { secretName: "creds", optional: true } }],
      [mount],
      "/mnt/v/pw",
      ["Secret creds pw or none"],
    ],
    [
      "the source of a projected volume",
      [{ name: "v", projected: { sources: [{ secret: { name: "creds", items } }, { configMap: { name: "urls" } }] } }],
      [mount],
      "/mnt/v/kafka/pw.txt",
      ["Secret creds password for sure"],
    ],
    [
      "each source of a projected volume that may have it",
      [
        {
          name: "v",
          projected: {
            sources: [
              { secret: { name: "creds" } },
              { configMap: { name: "urls" } },
              { serviceAccountToken: { path: "token" } },
            ],
          },
        },
      ],
      [mount],
      "/mnt/v/a",
      ["Secret creds a or none", "ConfigMap urls a or none"],
    ],
    ["nothing of other volumes", [{ name: "v", emptyDir: {} }], [mount], "/mnt/v/pw", []],
    ["nothing of a volume that is missing", [], [mount], "/mnt/v/pw", []],
    ["nothing beside a mount", [secret], [mount], "/mnt/vault/pw", []],
    ["no directory", [secret], [mount], "/mnt/v", []],
    ["nothing deeper than a key", [secret], [mount], "/mnt/v/..data/pw", []],
    ["nothing of a volume that cannot be read", [{ name: "v", secret: { secretName: 7 } }], [mount], "/mnt/v/pw", []],
  ];
  for (const [what, volumes, mounts, path, found] of table) {
    it(`finds ${what}`, () => assert.deepEqual(filesOf(volumes, mounts, path), found));
  }

  it("finds nothing without volumes", () => assert.deepEqual(filesAt({}, "/mnt/v/pw"), []));
});

describe("variableAt", () => {
  const template = {
    connectContainer: {
      env: [
        { name: "PLAIN", value: "x" },
        { name: "FIELD", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "PASSWORD", value: "overridden" },
        { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "creds", key: "pw" } } },
        { name: "URL", valueFrom: { configMapKeyRef: { name: "urls", key: "db", optional: true } } },
      ],
    },
  };
  const table = [
    ["PASSWORD", { kind: "Secret", name: "creds", key: "pw", optional: false, keyOptional: false }],
    ["URL", { kind: "ConfigMap", name: "urls", key: "db", optional: true, keyOptional: true }],
    ["PLAIN", null],
    ["FIELD", null],
    ["OTHER", null],
  ] as const;
  for (const [name, found] of table) {
    it(`knows where ${name} comes from`, () => assert.deepEqual(variableAt({ template }, name), found));
  }
});
