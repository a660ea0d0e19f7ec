import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseWorkerConfig, type StringMap } from "@headrace/contract";
import { createPeerFetch } from "#runtime/peer-fetch.ts";
import { openRestService, restProblems } from "#runtime/rest-service.ts";
import { readRestTls } from "#runtime/rest-tls.ts";
import { silent } from "../herder/fakes.ts";
import { createFakeApi } from "./fake-api.ts";

const REQUIRED = {
  "group.id": "g",
  "key.converter": "x",
  "value.converter": "x",
  "offset.storage.topic": "o",
  "config.storage.topic": "c",
  "status.storage.topic": "s",
  "rest.advertised.host.name": "localhost",
};

function configOf(properties: StringMap) {
  const parsed = parseWorkerConfig({ ...REQUIRED, ...properties });
  assert.ok(parsed.kind === "valid", JSON.stringify(parsed));
  return parsed.config;
}

async function open(properties: StringMap) {
  const service = await openRestService({ config: configOf(properties), properties, hostname: "me" });
  await service.serve(createFakeApi(), silent);
  return service;
}

describe("the REST service", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-rest-"));
  const file = (name: string) => join(dir, name);
  let server: StringMap;
  let inline: StringMap;

  before(() => {
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe", cwd: dir });
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca");
    for (const name of ["server", "client"]) {
      openssl("req", "-new", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
      writeFileSync(file("san"), "subjectAltName=DNS:localhost");
      openssl(
        "x509",
        "-req",
        "-in",
        `${name}.csr`,
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-days",
        "2",
        "-extfile",
        "san",
        "-out",
        `${name}.crt`,
      );
      writeFileSync(
        file(`${name}.pem`),
        readFileSync(file(`${name}.key`), "utf8") + readFileSync(file(`${name}.crt`), "utf8"),
      );
    }
    openssl("req", "-x509", ...key, "-keyout", "other.key", "-out", "other.crt", "-subj", "/CN=other");
    server = {
      listeners: "https://localhost:0",
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": file("server.pem"),
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": file("ca.crt"),
    };
    const oneLine = (name: string) => readFileSync(file(name), "utf8").trim().replace(/\n/g, " ");
    inline = {
      listeners: "https://localhost:0",
      "listeners.https.ssl.keystore.type": "PEM",
      "listeners.https.ssl.keystore.certificate.chain": oneLine("server.crt"),
      "listeners.https.ssl.keystore.key": oneLine("server.key"),
      "listeners.https.ssl.truststore.type": "PEM",
      "listeners.https.ssl.truststore.certificates": oneLine("ca.crt"),
      "ssl.keystore.location": "/nowhere.pem",
    };
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it("serves https with files, and workers reach one another by the truststore", async () => {
    await using cleanup = new AsyncDisposableStack();
    const service = await open(server);
    cleanup.defer(() => service.close());
    assert.match(service.url, /^https:\/\/localhost:\d+\/$/);
    assert.equal((await service.fetch(`${service.url}connectors`)).status, 200);
    const stranger = createPeerFetch(() => ({ ca: readFileSync(file("other.crt")) }));
    await assert.rejects(stranger(`${service.url}connectors`), /self-signed|unable to (get|verify)/);
  });
  it("serves https with PEM in the properties; keys of listeners.https. come alone", async () => {
    await using cleanup = new AsyncDisposableStack();
    const service = await open(inline);
    cleanup.defer(() => service.close());
    assert.equal((await service.fetch(`${service.url}connectors`)).status, 200);
  });
  it("asks clients for a certificate if they need one", async () => {
    await using cleanup = new AsyncDisposableStack();
    const service = await open({ ...server, "ssl.client.auth": "required" });
    cleanup.defer(() => service.close());
    assert.equal((await service.fetch(`${service.url}connectors`)).status, 200, "this worker shows its own");
    const ca = readFileSync(file("ca.crt"));
    const pem = readFileSync(file("client.pem"));
    assert.equal((await createPeerFetch(() => ({ ca, cert: pem, key: pem }))(service.url)).status, 200);
    await assert.rejects(createPeerFetch(() => ({ ca }))(service.url));
    const other = { cert: readFileSync(file("other.crt")), key: readFileSync(file("other.key")) };
    await assert.rejects(createPeerFetch(() => ({ ca, ...other }))(service.url));
  });
  it("listens at several addresses and advertises the one that it is told", async () => {
    await using cleanup = new AsyncDisposableStack();
    const listeners = "http://127.0.0.1:0,https://localhost:0";
    const first = await open({ ...server, listeners });
    cleanup.defer(() => first.close());
    assert.match(first.url, /^http:/);
    const secure = await open({ ...server, listeners, "rest.advertised.listener": "https" });
    cleanup.defer(() => secure.close());
    assert.match(secure.url, /^https:/);
    for (const { fetch, url } of [first, secure]) assert.equal((await fetch(`${url}health`)).status, 200);
  });
  it("has /admin with the rest, elsewhere, or nowhere", async () => {
    await using cleanup = new AsyncDisposableStack();
    const listeners = "http://127.0.0.1:0";
    const status = async (more: StringMap) => {
      const service = await open({ listeners, ...more });
      cleanup.defer(() => service.close());
      return (await service.fetch(`${service.url}admin/loggers`)).status;
    };
    assert.equal(await status({}), 200);
    assert.equal(await status({ "admin.listeners": "" }), 404);
    assert.equal(await status({ "admin.listeners": "http://127.0.0.1:0" }), 404);
  });
  it("reads the users of basic authentication from a JAAS file", async () => {
    await using cleanup = new AsyncDisposableStack();
    writeFileSync(file("users.properties"), "anna=secret\n");
    const module = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
    writeFileSync(
      file("jaas"),
      `Other { x required; };\nKafkaConnect {\n ${module} required\n file="${file("users.properties")}";\n};\n`,
    );
    const properties = {
      listeners: "http://127.0.0.1:0",
      "rest.extension.classes": "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
      "headrace.rest.jaas.file": file("jaas"),
    };
    const service = await open(properties);
    cleanup.defer(() => service.close());
    const authorization = `Basic ${Buffer.from("anna:secret").toString("base64")}`;
    assert.equal((await service.fetch(service.url)).status, 401);
    assert.equal((await service.fetch(service.url, { headers: { authorization } })).status, 200);

    writeFileSync(file("users.properties"), "# nobody\n");
    const [problem] = restProblems(configOf(properties), properties);
    assert.match(problem?.expected ?? "", /has no users/);
    writeFileSync(file("jaas"), "KafkaConnect { com.sun.security.auth.module.UnixLoginModule required; };");
    assert.match(restProblems(configOf(properties), properties)[0]?.expected ?? "", /PropertyFileLoginModule/);
    writeFileSync(file("jaas"), "Other { };");
    assert.match(restProblems(configOf(properties), properties)[0]?.expected ?? "", /no entry KafkaConnect/);
  });
  it("says which key material is wrong", () => {
    const missing = { ...server, "ssl.keystore.location": file("nowhere.pem") };
    assert.match(
      restProblems(configOf(missing), missing)[0]?.expected ?? "",
      /ssl\.keystore must be readable: .*nowhere\.pem/,
    );
    assert.throws(() => readRestTls({ "ssl.keystore.location": "a.jks" }, "none"), /must be PEM or PKCS12/);
  });
});
