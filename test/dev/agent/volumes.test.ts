import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Volume } from "#dev/agent/pod.ts";
import { createPodVolumes } from "#dev/agent/volumes.ts";
import { addresses, base64, fakeSources, podOf } from "./pods.ts";

describe("createPodVolumes", () => {
  let dir: string;
  const signal = AbortSignal.timeout(60_000);
  const read = (path: string) => readFileSync(join(dir, path), "utf8");

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "headrace-volumes-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const configMaps: Record<string, { data: Record<string, string>; binaryData?: Record<string, string> }> = {
    settings: { data: { level: "info", colour: "blue" }, binaryData: { raw: base64("\u0001") } },
  };
  const secrets = { login: { data: { password: base64("geheim") } } };
  const volumesOf = (...volumes: readonly Volume[]) =>
    createPodVolumes(() => podOf({ volumes }), {
      dir,
      addresses,
      sources: fakeSources({ configMaps, secrets, claims: { files: "/srv/files" } }),
      images: new Map(),
    });

  it("writes ConfigMaps, Secrets and pod fields as files with their modes", async () => {
    await volumesOf(
      { name: "all", configMap: { name: "settings" } },
      { name: "some", configMap: { name: "settings", items: [{ key: "level", path: "log/level", mode: 0o400 }] } },
      { name: "secret", secret: { secretName: "login", defaultMode: 0o600 } },
      { name: "fields", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
    ).sync(signal);
    assert.deepEqual([read("all/level"), read("all/colour"), read("all/raw")], ["info", "blue", "\u0001"]);
    assert.equal(read("some/log/level"), "info");
    assert.equal(statSync(join(dir, "some/log/level")).mode & 0o777, 0o400);
    assert.deepEqual(
      readdirSync(join(dir, "some")).filter((name) => !name.startsWith("..")),
      ["log"],
    );
    assert.equal(read("secret/password"), "geheim");
    assert.equal(statSync(join(dir, "secret/password")).mode & 0o777, 0o600);
    assert.equal(read("fields/labels"), 'app="web"\ntier="front"');
  });

  it("puts several sources and a token into a projected volume, and keeps the token while it is young", async () => {
    const volumes = volumesOf({
      name: "mixed",
      projected: {
        sources: [
          { serviceAccountToken: { path: "token", audience: "kafka", expirationSeconds: 600 } },
          { configMap: { name: "settings", items: [{ key: "level", path: "level" }] } },
          { secret: { name: "login" } },
        ],
      },
    });
    await volumes.sync(signal);
    await volumes.sync(signal);
    assert.deepEqual(
      [read("mixed/token"), read("mixed/level"), read("mixed/password")],
      ["web/kafka/1", "info", "geheim"],
    );
  });

  it("switches changed files in one step and leaves unchanged ones alone", async () => {
    const volumes = volumesOf({ name: "all", configMap: { name: "changing" } });
    configMaps["changing"] = { data: { a: "1", b: "1" } };
    await volumes.sync(signal);
    const version = readlinkSync(join(dir, "all/..data"));
    await volumes.sync(signal);
    assert.equal(readlinkSync(join(dir, "all/..data")), version);
    configMaps["changing"] = { data: { a: "2", c: "2" } };
    await volumes.sync(signal);
    assert.notEqual(readlinkSync(join(dir, "all/..data")), version);
    assert.deepEqual(
      readdirSync(join(dir, "all")).filter((name) => !name.startsWith("..")),
      ["a", "c"],
    );
    assert.equal(read("all/a"), "2");
  });

  it("takes the directory of the volume that a claim is bound to", async () => {
    const volumes = volumesOf({ name: "data", persistentVolumeClaim: { claimName: "files" } });
    await volumes.sync(signal);
    const volumeMounts = [{ name: "data", mountPath: "/data" }];
    assert.deepEqual(volumes.mounts({ name: "web", image: "web", volumeMounts }), [
      { mountPath: "/data", hostPath: "/srv/files" },
    ]);
    const unbound = volumesOf({ name: "data", persistentVolumeClaim: { claimName: "none" } });
    await assert.rejects(unbound.sync(signal), /persistentvolumeclaim "none" is not bound to a directory/);
  });

  it("says what is missing, unless it is optional", async () => {
    await assert.rejects(
      volumesOf({ name: "x", configMap: { name: "none" } }).sync(signal),
      /configmap "none" not found/,
    );
    const items = [{ key: "none", path: "x" }];
    await assert.rejects(
      volumesOf({ name: "x", secret: { secretName: "login", items } }).sync(signal),
      /non-existent key: none/,
    );
    await volumesOf({ name: "x", configMap: { name: "none", optional: true } }).sync(signal);
    assert.deepEqual(
      readdirSync(join(dir, "x")).filter((name) => !name.startsWith("..")),
      [],
    );
  });

  it("puts the directories that stand for mount paths into ConfigMaps, not into Secrets", async () => {
    const text = `ca=/etc/tls/ca.crt own=\${dir:/etc/tls:key} other=/etc/tlsx`;
    configMaps["paths"] = { data: { file: text } };
    const volumes: readonly Volume[] = [
      { name: "tls", emptyDir: {} },
      { name: "config", configMap: { name: "paths" } },
      { name: "secret", secret: { secretName: "paths" } },
    ];
    const volumeMounts = [{ name: "tls", mountPath: "/etc/tls" }];
    const pod = podOf({ volumes, containers: [{ name: "web", image: "web", volumeMounts }] });
    const sources = fakeSources({ configMaps, secrets: { paths: { data: { file: base64(text) } } } });
    await createPodVolumes(() => pod, { dir, addresses, sources, images: new Map() }).sync(signal);
    assert.equal(read("config/file"), text.replaceAll(/\/etc\/tls(?=[/:])/g, join(dir, "tls")));
    assert.equal(read("secret/file"), text);
  });

  it("puts what stands for paths of the image into ConfigMaps", async () => {
    configMaps["image-paths"] = { data: { file: "plugin.path=/opt/plugins,/opt/plugins-2" } };
    const volumes: readonly Volume[] = [{ name: "config", configMap: { name: "image-paths" } }];
    const pod = podOf({ volumes, containers: [{ name: "web", image: "web" }] });
    const mounts = [{ mountPath: "/opt/plugins", hostPath: "/clone/node_modules" }];
    const images = new Map([["web", { path: "/clone", env: {}, mounts }]]);
    await createPodVolumes(() => pod, { dir, addresses, sources: fakeSources({ configMaps }), images }).sync(signal);
    assert.equal(read("config/file"), "plugin.path=/clone/node_modules,/opt/plugins-2");
  });

  it("names the directories that stand for mount paths", async () => {
    const volumes = volumesOf({ name: "work", emptyDir: {} }, { name: "host", hostPath: { path: "/srv" } });
    await volumes.sync(signal);
    const volumeMounts = [
      { name: "work", mountPath: "/work", subPath: "sub" },
      { name: "host", mountPath: "/data" },
    ];
    assert.deepEqual(volumes.mounts({ name: "web", image: "web", volumeMounts }), [
      { mountPath: "/work", hostPath: join(dir, "work/sub") },
      { mountPath: "/data", hostPath: "/srv" },
    ]);
    assert.ok(statSync(join(dir, "work/sub")).isDirectory());
  });
});
