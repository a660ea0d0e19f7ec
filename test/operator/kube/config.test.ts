import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { stringify } from "yaml";
import { loadConnection } from "#operator/kube/config.ts";

describe("loadConnection", () => {
  let dir: string;

  before(() => {
    dir = mkdtempSync(join(tmpdir(), "headrace-config-"));
    mkdirSync(join(dir, "pki"));
    writeFileSync(join(dir, "pki/ca.pem"), "the ca");
    writeFileSync(join(dir, "pki/token"), "first\n");
  });

  after(() => rmSync(dir, { recursive: true }));

  function kubeconfig(cluster: object, user: object, context: object = {}): string {
    const path = join(dir, "kubeconfig");
    const file = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "here",
      contexts: [
        { name: "elsewhere", context: { cluster: "other", user: "other" } },
        { name: "here", context: { cluster: "c", user: "u", ...context } },
      ],
      clusters: [
        { name: "other", cluster: { server: "https://other" } },
        { name: "c", cluster: { server: "https://api.example:6443/prefix", ...cluster } },
      ],
      users: [{ name: "u", user }],
    };
    writeFileSync(path, stringify(file));
    return path;
  }

  const load = (cluster: object, user: object, context?: object) =>
    loadConnection({ kubeconfig: kubeconfig(cluster, user, context), env: { KUBECONFIG: "/nowhere" } });

  it("takes server, certificate authority and namespace of the current context, paths relative to the file", async () => {
    const connection = load(
      { "certificate-authority": "pki/ca.pem", "tls-server-name": "api" },
      {},
      { namespace: "ns" },
    );
    assert.equal(connection.server.href, "https://api.example:6443/prefix");
    assert.equal(connection.namespace, "ns");
    const { tls, headers } = await connection.credentials();
    assert.deepEqual(tls, { ca: Buffer.from("the ca"), servername: "api", rejectUnauthorized: true });
    assert.deepEqual(headers, {});
  });

  it("takes a token, a client certificate, a password, somebody to act as", async () => {
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const bearer = await load({}, { token: "t", as: "somebody" }).credentials();
    assert.deepEqual(bearer.headers, { authorization: "Bearer t", "impersonate-user": "somebody" });
    const certificate = load({}, { "client-certificate-data": base64("cert"), "client-key-data": base64("key") });
    const { tls } = await certificate.credentials();
    assert.deepEqual([String(tls.cert), String(tls.key)], ["cert", "key"]);
    const basic = await load({}, { username: "me", password: "secret" }).credentials();
    assert.equal(basic.headers["authorization"], `Basic ${base64("me:secret")}`);
  });

  it("reads a token file again after its token was refused", async () => {
    const connection = load({}, { tokenFile: "pki/token" });
    assert.equal((await connection.credentials()).headers["authorization"], "Bearer first");
    writeFileSync(join(dir, "pki/token"), "second\n");
    assert.equal((await connection.credentials()).headers["authorization"], "Bearer first");
    connection.refresh();
    assert.equal((await connection.credentials()).headers["authorization"], "Bearer second");
  });

  it("reads a token file again after a minute", async (t) => {
    let nowMs = 0;
    t.mock.method(performance, "now", () => nowMs);
    const connection = load({}, { tokenFile: "pki/token" });
    await connection.credentials();
    writeFileSync(join(dir, "pki/token"), "third\n");
    nowMs = 61_000;
    assert.equal((await connection.credentials()).headers["authorization"], "Bearer third");
  });

  it("runs a credential plugin", async () => {
    const credential = { kind: "ExecCredential", status: { token: "from-plugin" } };
    const script = `console.log(${JSON.stringify(JSON.stringify(credential))})`;
    const connection = load({}, { exec: { command: process.execPath, args: ["-e", script] } });
    assert.equal((await connection.credentials()).headers["authorization"], "Bearer from-plugin");
  });

  it("reports a token file that is not there and recovers", async () => {
    const connection = load({}, { tokenFile: "pki/missing" });
    await assert.rejects(connection.credentials(), /missing/);
    writeFileSync(join(dir, "pki/missing"), "now");
    assert.equal((await connection.credentials()).headers["authorization"], "Bearer now");
  });

  it("uses the pod's service account without a kubeconfig", async () => {
    writeFileSync(join(dir, "ca.crt"), "pod ca");
    writeFileSync(join(dir, "token"), "pod token");
    writeFileSync(join(dir, "namespace"), "pod-ns");
    const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443", KUBECONFIG: "/nowhere" };
    const connection = loadConnection({ env, serviceAccountDir: dir });
    assert.equal(connection.server.href, "https://[fd00::1]:6443/");
    assert.equal(connection.namespace, "pod-ns");
    const { tls, headers } = await connection.credentials();
    assert.equal(String(tls.ca), "pod ca");
    assert.equal(headers["authorization"], "Bearer pod token");
  });

  const refusals: readonly [what: string, load: () => unknown, message: RegExp][] = [
    ["neither a file nor a pod", () => loadConnection({ env: { KUBECONFIG: "/x" } }), /HEADRACE_KUBECONFIG/],
    ["plain http to another machine", () => load({ server: "http://api.example" }, {}), /not https/],
    ["an unknown context", () => load({}, {}, { cluster: "nobody" }), /no cluster nobody/],
    ["an old auth-provider", () => load({}, { "auth-provider": { name: "gcp" } }), /not supported/],
    ["a proxy-url", () => load({ "proxy-url": "socks5://x" }, {}), /proxy-url/],
  ];
  for (const [what, attempt, message] of refusals) it(`refuses ${what}`, () => assert.throws(attempt, message));
});
