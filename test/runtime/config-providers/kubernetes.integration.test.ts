import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { createConfigResolver } from "#runtime/config-providers/resolver.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const KUBECONFIG = z.object({
  clusters: z.array(
    z.object({
      cluster: z.object({
        server: z.string(),
        "certificate-authority-data": z.string().optional(),
        "certificate-authority": z.string().optional(),
      }),
    }),
  ),
});
const signal = AbortSignal.timeout(280_000);

describe("Kubernetes config providers", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-k8s-provider-"));
  let kubernetes: TestKubernetes;
  let namespace = "";
  let kubeconfig = "";

  before(async () => {
    kubernetes = await testKubernetes();
    namespace = await kubernetes.createNamespace();
    const { kubectl } = kubernetes;
    const inNamespace = (...args: string[]) => kubectl(["-n", namespace, ...args]);
    await inNamespace("create", "secret", "generic", "db", "--from-literal=password=hunter2");
    await inNamespace("create", "secret", "generic", "other", "--from-literal=password=x");
    await inNamespace("create", "configmap", "settings", "--from-literal=url=jdbc:x");
    await inNamespace(
      "create",
      "role",
      "reader",
      "--verb=get",
      "--resource=secrets,configmaps",
      "--resource-name=db",
      "--resource-name=settings",
      "--resource-name=gone",
    );
    await inNamespace("create", "rolebinding", "reader", "--role=reader", `--serviceaccount=${namespace}:default`);
    const created: unknown = await kubernetes.api.request(
      {
        method: "POST",
        path: `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`,
        body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
      },
      signal,
    );
    const { token } = z.object({ status: z.object({ token: z.string() }) }).parse(created).status;
    const admin = KUBECONFIG.parse(parse(readFileSync(kubernetes.kubeconfig, "utf8")));
    kubeconfig = join(dir, "kubeconfig");
    const config = {
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace } }],
      clusters: [{ name: "c", cluster: admin.clusters[0]?.cluster }],
      users: [{ name: "u", user: { token } }],
    };
    writeFileSync(kubeconfig, JSON.stringify(config));
  });
  after(async () => {
    await kubernetes.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const resolve = async (value: string) => {
    const resolver = createConfigResolver(
      {
        "config.providers": "secrets,maps",
        "config.providers.secrets.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
        "config.providers.maps.class": "io.strimzi.kafka.KubernetesConfigMapConfigProvider",
      },
      { env: { KUBECONFIG: kubeconfig }, warn: () => {} },
    );
    return (await resolver.resolve({ value }, signal))["value"];
  };

  it("read the named objects, with a Role that allows no more than that", async () => {
    assert.equal(await resolve(`\${secrets:${namespace}/db:password}`), "hunter2");
    assert.equal(await resolve(`\${secrets:db:password}@\${maps:${namespace}/settings:url}`), "hunter2@jdbc:x");
  });

  it("say what is missing or forbidden", async () => {
    await assert.rejects(
      resolve(`\${secrets:${namespace}/other:password}`),
      /Secret .*\/other may not be read \(403\)/,
    );
    await assert.rejects(resolve(`\${secrets:${namespace}/gone:password}`), /Secret .*\/gone does not exist/);
    await assert.rejects(resolve(`\${secrets:${namespace}/db:nothing}`), /Secret .*\/db has no key nothing/);
    await assert.rejects(resolve(`\${secrets:a/b/c:k}`), /must be name or namespace\/name/);
  });
});
