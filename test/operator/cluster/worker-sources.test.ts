import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { readWorkerSources, toContents, workerSources } from "#operator/cluster/worker-sources.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

/** A placeholder, spelled so that it is no template. */
const ref = (text: string) => `$\{${text}}`;
const base64 = (text: string) => Buffer.from(text).toString("base64");

const custom = (config: Readonly<Record<string, string>>): Partial<KafkaConnectSpec> => ({
  authentication: { type: "custom", sasl: true, config },
});
const jaas = (text: string) => custom({ "sasl.jaas.config": `module required password="${ref(text)}";` });
const MOUNTED: Partial<KafkaConnectSpec> = {
  template: {
    pod: { volumes: [{ name: "v", secret: { secretName: "mounted" } }] },
    connectContainer: {
      volumeMounts: [{ name: "v", mountPath: "/mnt/v" }],
      env: [{ name: "PW", valueFrom: { secretKeyRef: { name: "variable", key: "pw" } } }],
    },
  },
};
const STRIMZI = {
  "config.providers": "secrets",
  "config.providers.secrets.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
};

describe("workerSources", () => {
  const table: readonly [string, Partial<KafkaConnectSpec>, readonly string[]][] = [
    ["nothing where nothing is named", { config: { a: "b" } }, []],
    ["what the login names", jaas("secrets:creds:pw"), ["Secret creds pw sasl.jaas.config"]],
    ["what it names with its namespace", jaas("secrets:ns/creds:pw"), ["Secret creds pw sasl.jaas.config"]],
    ["nothing of another namespace", jaas("secrets:other/creds:pw"), []],
    [
      "what the configuration names, each key once",
      { config: { b: `${ref("configmaps:urls:db")} ${ref("secrets:x:y")}`, c: ref("configmaps:urls:db") } },
      ["ConfigMap urls db b", "Secret x y b"],
    ],
    ["nothing that is not applied", { config: { "sasl.jaas.config": ref("secrets:creds:pw") } }, []],
    [
      "files of mounted volumes",
      {
        ...MOUNTED,
        ...custom({ "sasl.a": ref("directory:/mnt/v:pw"), "sasl.b": ref("file:/mnt/v/all.properties:pw") }),
      },
      ["Secret mounted all.properties sasl.b", "Secret mounted pw sasl.a"],
    ],
    ["no other files", { ...MOUNTED, ...jaas("directory:/opt/headrace/user:pw") }, []],
    ["no file of a directory below", { ...MOUNTED, ...jaas("directory:/mnt:v/pw") }, []],
    ["variables", { ...MOUNTED, ...jaas("env:PW") }, ["Secret variable pw sasl.jaas.config"]],
    [
      "keystores",
      {
        ...MOUNTED,
        ...custom({ "ssl.keystore.location": "/mnt/v/user.p12" }),
        config: { "producer.ssl.truststore.location": "/mnt/v/ca.pem", "ssl.cipher.suites": "/mnt/v/x" },
      },
      ["Secret mounted ca.pem producer.ssl.truststore.location", "Secret mounted user.p12 ssl.keystore.location"],
    ],
    [
      "what providers of other names read",
      {
        config: {
          "config.providers": "mine,vault,secrets",
          "config.providers.mine.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
          "config.providers.vault.class": "org.example.Vault",
          "config.providers.secrets.class": "org.example.Vault",
          a: `${ref("mine:creds:pw")} ${ref("vault:x:y")} ${ref("secrets:x:y")}`,
        },
      },
      ["Secret creds pw a"],
    ],
    ["nothing of Secrets on Java's workers without a provider", { runtime: "Jvm", ...jaas("secrets:creds:pw") }, []],
    [
      "it on Java's workers with one",
      { runtime: "Jvm", ...jaas("secrets:creds:pw"), config: STRIMZI },
      ["Secret creds pw sasl.jaas.config"],
    ],
    [
      "files on Java's workers",
      { runtime: "Jvm", ...MOUNTED, ...jaas("directory:/mnt/v:pw") },
      ["Secret mounted pw sasl.jaas.config"],
    ],
    [
      "nothing of another API server",
      {
        config: {
          "config.providers": "far,file",
          "config.providers.far.class": "kubernetes-secret",
          "config.providers.far.param.kubeconfig": "/mnt/v/far",
          "config.providers.secrets.param.kubeconfig": "/mnt/v/far",
          a: `${ref("far:creds:pw")} ${ref("secrets:creds:pw")} ${ref("configmaps:urls:db")}`,
        },
      },
      ["ConfigMap urls db a"],
    ],
    ["nothing that the operator gives itself", { authentication: { type: "plain", username: "u" } }, []],
  ];
  for (const [what, spec, found] of table) {
    it(`finds ${what}`, () =>
      assert.deepEqual(
        workerSources(kafkaConnect(spec)).map(({ kind, name, key, property }) => `${kind} ${name} ${key} ${property}`),
        found,
      ));
  }
});

describe("readWorkerSources", () => {
  const sources = workerSources(
    kafkaConnect({
      config: { a: ref("secrets:creds:pw"), b: ref("configmaps:urls:db"), c: ref("secrets:creds:user") },
    }),
  );
  const contents = (creds: Readonly<Record<string, string>> | null, urls: Readonly<Record<string, string>> | null) =>
    new Map([
      ["Secret creds", creds],
      ["ConfigMap urls", urls],
    ]);
  const CREDS = { pw: base64("one"), user: base64("u") };
  const URLS = { db: base64("host") };
  const hashOf = (...given: Parameters<typeof contents>) => readWorkerSources(sources, contents(...given)).hash;

  it("says nothing of nothing", () =>
    assert.deepEqual(readWorkerSources([], new Map()), { hash: "", problems: [], warnings: [] }));

  it("has another hash for another value, and the same for other keys", () => {
    assert.match(hashOf(CREDS, URLS), /^[0-9a-f]{10}$/);
    assert.equal(hashOf({ ...CREDS, more: base64("x") }, { ...URLS, more: "" }), hashOf(CREDS, URLS));
    assert.notEqual(hashOf({ ...CREDS, pw: base64("two") }, URLS), hashOf(CREDS, URLS));
    assert.notEqual(hashOf(CREDS, { db: base64("other") }), hashOf(CREDS, URLS));
  });

  it("tells what is missing, and never a value", () => {
    const { problems } = readWorkerSources(sources, contents({ pw: base64("canary") }, null));
    assert.deepEqual(problems, [
      "ConfigMap urls, from which b is read, does not exist",
      "Secret creds, from which c is read, has no key user",
    ]);
  });

  it("says nothing of an object that could not be read", () => {
    const { problems } = readWorkerSources(sources, new Map([["ConfigMap urls", null]]));
    assert.deepEqual(problems, ["ConfigMap urls, from which b is read, does not exist"]);
  });

  const KEYS: readonly [string, Partial<KafkaConnectSpec>, Partial<KafkaConnectSpec>, "problem" | "warning"][] = [
    ["a file of a mounted Secret", MOUNTED, jaas("directory:/mnt/v:pw"), "warning"],
    ["a mounted properties file", MOUNTED, jaas("file:/mnt/v/all.properties:pw"), "problem"],
    ["a keystore", MOUNTED, custom({ "ssl.keystore.location": "/mnt/v/user.p12" }), "problem"],
    ["a variable", MOUNTED, jaas("env:PW"), "problem"],
    [
      "a variable that may be missing",
      {
        template: {
          connectContainer: {
            env: [{ name: "PW", valueFrom: { secretKeyRef: { name: "variable", key: "pw", optional: true } } }],
          },
        },
      },
      jaas("env:PW"),
      "warning",
    ],
    [
      "a file that Kubernetes does not start without",
      {
        template: {
          pod: {
            volumes: [{ name: "v", secret: { secretName: "mounted", items: [{ key: "pw", path: "pw" }] } }],
          },
          connectContainer: { volumeMounts: [{ name: "v", mountPath: "/mnt/v" }] },
        },
      },
      jaas("directory:/mnt/v:pw"),
      "problem",
    ],
    ["a key that is read by the API", {}, jaas("secrets:mounted:pw"), "problem"],
  ];
  for (const [what, mounted, login, told] of KEYS) {
    it(`tells ${what} as a ${told} if it is missing in an object that is there`, () => {
      const ofOne = workerSources(kafkaConnect({ ...mounted, ...login }));
      const there = new Map(ofOne.map(({ kind, name }) => [`${kind} ${name}`, {}]));
      const { problems, warnings } = readWorkerSources(ofOne, there);
      assert.deepEqual([problems.length, warnings.length], told === "problem" ? [1, 0] : [0, 1]);
      assert.match([...problems, ...warnings].join(), / has no key /);
    });
  }

  it("needs the object of a file, if not its key", () => {
    const ofOne = workerSources(kafkaConnect({ ...MOUNTED, ...jaas("directory:/mnt/v:pw") }));
    const told = readWorkerSources(ofOne, new Map([["Secret mounted", null]]));
    assert.deepEqual(told.problems, ["Secret mounted, from which sasl.jaas.config is read, does not exist"]);
  });

  it("misses a key that has the name of something that every object has", () => {
    const ofOne = workerSources(kafkaConnect({ config: { a: ref("secrets:creds:constructor") } }));
    const { problems } = readWorkerSources(ofOne, new Map([["Secret creds", {}]]));
    assert.deepEqual(problems, ["Secret creds, from which a is read, has no key constructor"]);
  });

  it("does without what is optional", () => {
    const optional = sources.map((source) => ({ ...source, optional: true }));
    const { problems, hash } = readWorkerSources(optional, contents(null, null));
    assert.deepEqual(problems, []);
    assert.notEqual(hash, readWorkerSources(optional, contents(CREDS, URLS)).hash);
  });
});

describe("toContents", () => {
  it("has texts and bytes of a ConfigMap in one form, of the keys that are asked for", () => {
    const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } };
    assert.deepEqual(
      toContents({ ...configMap, data: { a: "ü", x: "" }, binaryData: { b: "AAE=", y: "" } }, ["a", "b", "c"]),
      {
        a: base64("ü"),
        b: "AAE=",
      },
    );
    assert.deepEqual(toContents({ ...configMap, data: {}, binaryData: {} }, ["a", "constructor"]), {});
    assert.deepEqual(toContents(configMap, ["a"]), {});
  });
});
