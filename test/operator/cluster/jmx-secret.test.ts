import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { createJmxSecrets } from "#operator/cluster/jmx-secret.ts";
import { isKubeError } from "#operator/kube/errors.ts";
import { type Secret, Secrets } from "#operator/kube/resources.ts";
import { decode, encode } from "#operator/pki/authority.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const signal = new AbortController().signal;
const KEY = { namespace: "ns", name: "my-connect-kafka-connect-jmx" };
const WITH_PASSWORD: Partial<KafkaConnectSpec> = {
  runtime: "Jvm",
  image: "apache/kafka:4.3.1",
  jmxOptions: { authentication: { type: "password" } },
};

function setUp(spec: Partial<KafkaConnectSpec> = WITH_PASSWORD) {
  const kube = createFakeKube();
  const { keep } = createJmxSecrets({ kube: kube.client });
  const found = () => {
    const secret = kube.find(Secrets, KEY);
    assert.ok(secret !== null);
    return secret;
  };
  return {
    kube,
    found,
    keep: (changed: Partial<KafkaConnectSpec> = spec) => keep(kafkaConnect(changed), signal),
    text: (key: string) => decode(found().data?.[key]),
    put: (metadata: object, data: Readonly<Record<string, string>>) =>
      kube.put<Secret>(Secrets, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { ...KEY, ...metadata },
        data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, encode(value)])),
      }),
  };
}

const OWNED = { ownerReferences: [{ apiVersion: "v1", kind: "KafkaConnect", name: "my-connect", uid: "connect-uid" }] };

describe("the Secret of JMX", () => {
  it("is made where a password is asked for, and nowhere else", async () => {
    for (const spec of [
      { runtime: "Jvm", jmxOptions: {} },
      { ...WITH_PASSWORD, runtime: "Headrace" },
    ] as const) {
      const { kube, keep } = setUp(spec);
      assert.equal(await keep(), "");
      assert.deepEqual(kube.all(Secrets), []);
    }
    const { keep, text, found } = setUp();
    assert.match(await keep(), /^[0-9a-f]{10}$/);
    for (const key of ["jmx-username", "jmx-password"]) assert.match(text(key), /^[\w-]{24}$/);
    assert.notEqual(text("jmx-username"), text("jmx-password"));
    assert.equal(found().metadata.ownerReferences?.[0]?.uid, "connect-uid");
  });

  it("stays what it is, and gets the metadata that users ask for", async () => {
    const { keep, found } = setUp();
    const mark = await keep();
    const { data, metadata } = found();
    assert.equal(await keep(), mark);
    assert.equal(found().metadata.resourceVersion, metadata.resourceVersion);
    const jmxSecret = { metadata: { labels: { team: "a" }, annotations: { note: "b" } } };
    assert.equal(await keep({ ...WITH_PASSWORD, template: { jmxSecret } }), mark);
    assert.deepEqual(found().data, data);
    assert.equal(found().metadata.labels?.["team"], "a");
    assert.equal(found().metadata.annotations?.["note"], "b");
  });

  it("is another one for the workers once its password is another one, or is lost", async () => {
    const { keep, put, found, text } = setUp();
    const first = await keep();
    put(found().metadata, { "jmx-username": "me", "jmx-password": "mine" });
    const second = await keep();
    assert.notEqual(second, first);
    assert.deepEqual([text("jmx-username"), text("jmx-password")], ["me", "mine"]);
    put(found().metadata, { "jmx-username": "me" });
    assert.notEqual(await keep(), second);
    assert.equal(text("jmx-username"), "me");
    assert.match(text("jmx-password"), /^[\w-]{24}$/);
  });

  it("keeps the password that another operator has made for the same KafkaConnect", async () => {
    const { keep, put, text, found } = setUp();
    put(OWNED, { "jmx-username": "theirs", "jmx-password": "secret" });
    await keep();
    assert.deepEqual([text("jmx-username"), text("jmx-password")], ["theirs", "secret"]);
    assert.equal(found().metadata.labels?.["headrace.dev/cluster"], "my-connect");
  });

  it("is refused if it is somebody else's, or has what JMX cannot use; no value is told", async () => {
    const { keep, put } = setUp();
    const refused = (wanted: RegExp) =>
      assert.rejects(keep(), (error) => {
        assert.ok(isKubeError(error, "invalid"));
        assert.match(error.message, wanted);
        assert.doesNotMatch(error.message, /canary/);
        return true;
      });
    put({}, { "jmx-username": "a", "jmx-password": "b" });
    await refused(/my-connect-kafka-connect-jmx was not made by the operator/);
    put(OWNED, { "jmx-username": "canary:a", "jmx-password": "canary b" });
    await refused(/has characters in jmx-username and jmx-password that JMX cannot use/);
  });
});
