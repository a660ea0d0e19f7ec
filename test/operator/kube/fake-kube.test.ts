import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "#operator/kube/client.ts";
import { isKubeError } from "#operator/kube/errors.ts";
import { ConfigMaps } from "#operator/kube/resources.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const signal = new AbortController().signal;
const key = { namespace: "a", name: "one" };

function configMap(data: Record<string, string>, metadata: Partial<KubeObject["metadata"]> = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { ...key, ...metadata }, data };
}

describe("fake API server", () => {
  it("removes by apply what the last apply named and this one does not, and keeps what others wrote", async () => {
    const { client } = createFakeKube();
    await client.apply(ConfigMaps, configMap({ a: "1", b: "2" }), signal);
    await client.patch(ConfigMaps, key, { data: { other: "x" } }, signal);
    const after = await client.apply(ConfigMaps, configMap({ a: "1" }), signal);
    assert.deepEqual(after.data, { a: "1", other: "x" });
  });

  it("changes the resource version only when something changed, the generation only with the spec", async () => {
    const { client } = createFakeKube();
    const first = await client.apply(ConfigMaps, configMap({ a: "1" }), signal);
    assert.deepEqual(await client.apply(ConfigMaps, configMap({ a: "1" }), signal), first);
    const labelled = await client.patch(ConfigMaps, key, { metadata: { labels: { x: "y" } } }, signal);
    assert.notEqual(labelled.metadata.resourceVersion, first.metadata.resourceVersion);
    assert.equal(labelled.metadata.generation, 1);
    const changed = await client.apply(ConfigMaps, configMap({ a: "2" }), signal);
    assert.equal(changed.metadata.generation, 2);
  });

  it("keeps an object with finalizers until the last one is gone", async () => {
    const { client, find } = createFakeKube();
    await client.create(ConfigMaps, configMap({}, { finalizers: ["headrace.dev/x"] }), signal);
    await client.delete(ConfigMaps, key, {}, signal);
    assert.ok(find(ConfigMaps, key)?.metadata.deletionTimestamp);
    await client.patch(ConfigMaps, key, { metadata: { finalizers: null } }, signal);
    assert.equal(find(ConfigMaps, key), null);
  });

  it("refuses a patch against an old resource version", async () => {
    const { client } = createFakeKube();
    const { metadata } = await client.create(ConfigMaps, configMap({}), signal);
    await client.patch(ConfigMaps, key, { data: { a: "1" } }, signal);
    const late = client.patch(ConfigMaps, key, { metadata: { resourceVersion: metadata.resourceVersion } }, signal);
    await assert.rejects(late, (error) => isKubeError(error, "conflict"));
  });
});
