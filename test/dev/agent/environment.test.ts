import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resolveEnvironment } from "#dev/agent/environment.ts";
import type { Container } from "#dev/agent/pod.ts";
import { addresses, base64, fakeSources, podOf } from "./pods.ts";

const sources = fakeSources({
  configMaps: { settings: { data: { LEVEL: "info", COLOUR: "blue" } } },
  secrets: { login: { data: { PASSWORD: base64("geheim") } } },
});

function resolve(container: Partial<Container>) {
  const pod = podOf({}, container);
  return resolveEnvironment(
    pod,
    { name: "web", image: "web", ...container },
    addresses,
    sources,
    AbortSignal.timeout(5000),
  );
}

describe("resolveEnvironment", () => {
  it("takes envFrom first, then env, which may use what was before it", async () => {
    const environment = await resolve({
      envFrom: [{ prefix: "APP_", configMapRef: { name: "settings" } }, { secretRef: { name: "login" } }],
      env: [
        { name: "APP_LEVEL", value: "debug" },
        { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "URL", value: "http://$(POD_IP)/$(APP_COLOUR)/$(LATER)" },
        { name: "LATER", value: "x" },
      ],
    });
    assert.deepEqual(environment, {
      APP_LEVEL: "debug",
      APP_COLOUR: "blue",
      PASSWORD: "geheim",
      POD_IP: "127.9.4.12",
      URL: "http://127.9.4.12/blue/$(LATER)",
      LATER: "x",
    });
  });

  for (const [fieldPath, expected] of [
    ["metadata.name", "web-0"],
    ["metadata.namespace", "shop"],
    ["metadata.uid", "0001"],
    ["metadata.labels['app']", "web"],
    ["metadata.labels['missing']", ""],
    ["metadata.labels", 'app="web"\ntier="front"'],
    ["metadata.annotations['note']", 'a "quoted" one'],
    ["spec.nodeName", "local"],
    ["spec.serviceAccountName", "web"],
    ["status.hostIP", "127.9.4.1"],
  ] as const) {
    it(`gives ${fieldPath}`, async () => {
      assert.deepEqual(await resolve({ env: [{ name: "X", valueFrom: { fieldRef: { fieldPath } } }] }), {
        X: expected,
      });
    });
  }

  it("gives limits in units of the divisor, rounded up", async () => {
    const environment = await resolve({
      resources: { limits: { memory: "1.5Gi", cpu: "1500m" } },
      env: [
        { name: "MIB", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
        { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
      ],
    });
    assert.deepEqual(environment, { MIB: "1536", CPUS: "2" });
  });

  it("leaves out what is optional and missing", async () => {
    const environment = await resolve({
      envFrom: [{ configMapRef: { name: "none", optional: true } }],
      env: [
        { name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "none", optional: true } } },
        { name: "B", valueFrom: { secretKeyRef: { name: "none", key: "x", optional: true } } },
      ],
    });
    assert.deepEqual(environment, {});
  });

  it("says what is missing", async () => {
    await assert.rejects(resolve({ envFrom: [{ configMapRef: { name: "none" } }] }), /configmap "none" not found/);
    await assert.rejects(
      resolve({ env: [{ name: "A", valueFrom: { secretKeyRef: { name: "none", key: "x" } } }] }),
      /secret "none" not found/,
    );
    await assert.rejects(
      resolve({ env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "x" } } }] }),
      /couldn't find key x in ConfigMap shop\/settings/,
    );
  });
});
