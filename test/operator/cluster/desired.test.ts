import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { desire } from "#operator/cluster/desired.ts";
import { buildStatefulSet } from "#operator/cluster/stateful-set.ts";
import type { KafkaConnect } from "#operator/kinds.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

const IMAGE = "headrace/worker:default";

const NAMED = { secrets: ["db"], configMaps: ["endpoints"] };

function objects(connect: KafkaConnect): readonly object[] {
  const credentials = { trusted: connect.spec.tls === undefined ? null : "PEM\n", hash: "abc", problems: [] };
  const surroundings =
    connect.spec.authentication === undefined ? [] : [{ credentials, operator: null, named: NAMED, loggingText: null }];
  const desired = desire(connect, IMAGE, ...surroundings);
  const {
    serviceAccount,
    role,
    roleBinding,
    configMap,
    trustSecret,
    services,
    disruptionBudget,
    networkPolicy,
    template,
  } = desired;
  const statefulSet = buildStatefulSet(connect, template, connect.spec.replicas);
  const trusted = trustSecret === null ? [] : [trustSecret];
  return [
    serviceAccount,
    role,
    roleBinding,
    configMap,
    ...trusted,
    ...services,
    disruptionBudget,
    networkPolicy,
    statefulSet,
  ];
}

const CASES: Readonly<Record<string, KafkaConnect>> = {
  smallest: kafkaConnect(),
  "with-template": kafkaConnect({
    replicas: 1,
    image: "my/worker:1",
    config: { "offset.flush.interval.ms": 1000, "value.converter.schemas.enable": false },
    resources: { limits: { memory: "1Gi" }, requests: { cpu: "100m" } },
    readinessProbe: { initialDelaySeconds: 3, failureThreshold: 9 },
    template: {
      pod: {
        metadata: { labels: { team: "a", "app.kubernetes.io/name": "mine" }, annotations: { note: "x" } },
        terminationGracePeriodSeconds: 90,
        securityContext: { fsGroup: 7 },
        tolerations: [{ key: "a", operator: "Exists" }],
        affinity: { nodeAffinity: {} },
        imagePullSecrets: [{ name: "pull" }],
        priorityClassName: "high",
        volumes: [{ name: "data", emptyDir: {} }],
      },
      connectContainer: {
        env: [{ name: "DATA_DIR", value: "/mnt/data" }],
        volumeMounts: [{ name: "data", mountPath: "/mnt/data" }],
        securityContext: { runAsUser: 1000 },
      },
      apiService: { metadata: { annotations: { a: "b" } } },
      podDisruptionBudget: { maxUnavailable: 2 },
      podSet: { metadata: { labels: { a: "b" } } },
      statefulSet: { metadata: { annotations: { a: "b" } } },
    },
  }),
  jvm: kafkaConnect({
    runtime: "Jvm",
    image: "apache/kafka:4.3.1",
    replicas: 2,
    resources: { limits: { memory: "2Gi" } },
    jvmOptions: {
      "-XX": { UseG1GC: "true", UseStringDeduplication: "false", MaxGCPauseMillis: "20" },
      gcLoggingEnabled: true,
      javaSystemProperties: [{ name: "a", value: "b" }],
    },
    jmxOptions: {},
    isolation: "Task",
    plugins: [{ name: "mounted", artifacts: [{ type: "image", reference: "registry/plugin:1" }] }],
    build: {
      output: { type: "docker", image: "registry/connect:1" },
      plugins: [
        {
          name: "debezium",
          artifacts: [
            { type: "tgz", url: "https://example.com/debezium.tar.gz", sha512sum: "AB".repeat(64) },
            { type: "other", url: "https://example.com/x", fileName: "extra.txt", insecure: true },
            {
              type: "maven",
              group: "io.debezium",
              artifact: "debezium-connector-postgres",
              version: "3.0.0.Final",
              repository: "https://example.com/maven?a=1&b=2",
              mirrors: [{ url: "https://mirror.example.com" }],
            },
          ],
        },
      ],
    },
  }),
  secured: kafkaConnect({
    tls: { trustedCertificates: [{ secretName: "my-ca", certificate: "ca.crt" }] },
    authentication: {
      type: "scram-sha-512",
      username: "my-user",
      passwordSecret: { secretName: "my-user", password: "password" },
    },
    isolation: "Connector",
    plugins: [
      { name: "jdbc", artifacts: [{ type: "image", reference: "registry/jdbc@sha256:1", pullPolicy: "IfNotPresent" }] },
      {
        name: "http",
        artifacts: [{ type: "npm", url: "https://registry/http.tgz", integrity: `sha512-${"A".repeat(86)}==` }],
      },
    ],
    template: {
      pod: { tmpDirSizeLimit: "1Gi", hostUsers: false, templatedVolumes: [{ name: "x", secret: {} }] },
      initContainer: { env: [{ name: "NPM_TOKEN", valueFrom: { secretKeyRef: { name: "npm", key: "token" } } }] },
      apiService: { ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv6", "IPv4"] },
      headlessService: { ipFamilyPolicy: "SingleStack" },
      networkPolicy: { metadata: { labels: { a: "b" } } },
    },
  }),
};

describe("desire", () => {
  for (const [name, connect] of Object.entries(CASES)) {
    it(`builds the objects of golden/${name}.yaml`, async () => {
      const file = new URL(`golden/${name}.yaml`, import.meta.url);
      const built = objects(connect).map((object) => stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 }));
      if (process.env["UPDATE_GOLDEN"] === "1") await writeFile(file, built.join("---\n"));
      const golden = parseAllDocuments(await readFile(file, "utf8")).map((document) => document.toJS());
      assert.deepEqual(JSON.parse(JSON.stringify(objects(connect))), golden);
    });
  }

  it("gives a new revision and a new ConfigMap for a new configuration only", () => {
    const before = desire(kafkaConnect(), IMAGE);
    const scaled = desire(kafkaConnect({ replicas: 5 }), IMAGE);
    const configured = desire(kafkaConnect({ config: { a: 1 } }), IMAGE);
    const otherImage = desire(kafkaConnect(), "other");
    assert.equal(scaled.revision, before.revision);
    assert.notEqual(configured.revision, before.revision);
    assert.notEqual(configured.configMap.metadata.name, before.configMap.metadata.name);
    assert.notEqual(otherImage.revision, before.revision);
    assert.equal(otherImage.configMap.metadata.name, before.configMap.metadata.name);
  });

  it("gives a new revision for other credentials", () => {
    const revision = (hash: string) => {
      const credentials = { trusted: null, hash, problems: [] };
      return desire(kafkaConnect(), IMAGE, { credentials, operator: null, named: NAMED, loggingText: null }).revision;
    };
    assert.notEqual(revision("a"), revision("b"));
  });

  it("does not copy the resource's own labels", () => {
    const labelled = kafkaConnect(
      {},
      { metadata: { ...kafkaConnect().metadata, labels: { "kustomize.toolkit.fluxcd.io/name": "a" } } },
    );
    assert.doesNotMatch(JSON.stringify(objects(labelled)), /kustomize/);
  });

  it("says what was asked for and is not done", () => {
    const { warnings } = desire(kafkaConnect({ config: { "rest.port": 1 }, jvmOptions: {} }), IMAGE);
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? "", /spec\.config.*rest\.port/);
    assert.match(warnings[1] ?? "", /runtime: Jvm only: spec\.jvmOptions/);
  });
});
