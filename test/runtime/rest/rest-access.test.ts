import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseWorkerConfig } from "@headrace/contract";
import { createAuthority, fingerprintOf, issueCertificate, type KeyPair } from "#operator/pki/certificate.ts";
import { createLog } from "#runtime/log.ts";
import { createPeerFetch, type PeerFetch, type PeerRequest } from "#runtime/peer-fetch.ts";
import { openRestService, type RestService, restProblems } from "#runtime/rest-service.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeApi } from "./fake-api.ts";

const DAY_MS = 86_400_000;
const NAME = "c-connect-api.ns.svc";

describe("access to REST", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-access-"));
  let authority: KeyPair;
  let service: RestService;
  const lines: Record<string, unknown>[] = [];
  const collect = (line: string) => void lines.push(JSON.parse(line));
  const log = createLog({ level: "info", destination: { write: collect } });

  before(async () => {
    authority = await createAuthority({ commonName: "ca", validMs: DAY_MS }, Date.now());
    write(authority, [authority]);
    const tokens = {
      "read/dashboard": "look-only\n",
      "admin/pipeline": "may-write",
      "admin/empty": "\n",
      "admin/.hidden": "h",
    };
    for (const role of ["read", "admin"]) mkdirSync(join(dir, "tokens", role), { recursive: true });
    for (const [name, token] of Object.entries(tokens)) writeFileSync(join(dir, "tokens", name), token);
    await writeIdentity(authority);
    service = await openRestService({ config: configOf(), properties: PROPERTIES, hostname: "me" });
    await service.serve(createFakeApi(), log);
  });

  after(async () => {
    await service.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const PROPERTIES = {
    listeners: "https://127.0.0.1:0",
    "listeners.https.ssl.keystore.type": "PEM",
    "listeners.https.ssl.keystore.location": join(dir, "keystore.pem"),
    "listeners.https.ssl.truststore.type": "PEM",
    "listeners.https.ssl.truststore.location": join(dir, "ca.crt"),
    "listeners.https.ssl.client.auth": "requested",
    "headrace.rest.server.name": NAME,
    "headrace.rest.authentication": "required",
    "headrace.rest.tokens.dir": join(dir, "tokens"),
    "headrace.rest.reload.interval.ms": "100",
  };

  function configOf(properties: Readonly<Record<string, string>> = PROPERTIES) {
    const parsed = parseWorkerConfig({
      "group.id": "g",
      "key.converter": "x",
      "value.converter": "x",
      "offset.storage.topic": "o",
      "config.storage.topic": "c",
      "status.storage.topic": "s",
      ...properties,
    });
    assert.ok(parsed.kind === "valid", JSON.stringify(parsed));
    return parsed.config;
  }

  function write(signing: KeyPair, trusted: readonly KeyPair[]): void {
    writeFileSync(join(dir, "ca.crt"), trusted.map(({ certificate }) => certificate).join(""));
    authority = signing;
  }

  async function writeIdentity(signing: KeyPair): Promise<KeyPair> {
    const subject = { commonName: "c-connect", names: [NAME], usages: ["server", "client"], validMs: DAY_MS } as const;
    const pair = await issueCertificate(signing, subject, Date.now());
    writeFileSync(join(dir, "keystore.pem"), pair.key + pair.certificate);
    return pair;
  }

  async function clientOf(signing: KeyPair | null, trusted: KeyPair): Promise<PeerFetch> {
    const subject = { commonName: "operator", names: [], usages: ["client"], validMs: DAY_MS } as const;
    const pair = signing === null ? null : await issueCertificate(signing, subject, Date.now());
    const identity = pair === null ? {} : { cert: pair.certificate, key: pair.key };
    return createPeerFetch(() => ({ ca: trusted.certificate, servername: NAME, ...identity }));
  }

  async function status(fetch: PeerFetch, request: PeerRequest = {}, path = "headrace/rejoin"): Promise<number> {
    return (await fetch(`${service.url}${path}`, request)).status;
  }

  const complaints = () => lines.filter(({ msg }) => String(msg).includes("cannot be used")).length;
  const bearing = (token: string, method: string) => ({ method, headers: { authorization: `Bearer ${token}` } });

  it("is for nobody without a certificate or a token, whatever the path", async () => {
    const nobody = await clientOf(null, authority);
    for (const path of ["", "connectors", "headrace/self", "headrace/events", "no/such/path"]) {
      assert.equal(await status(nobody, {}, path), 401, path);
    }
    for (const method of ["POST", "PUT", "DELETE"]) assert.equal(await status(nobody, { method }), 401);
    for (const token of ["wrong", "", "h", "may-write2"]) {
      assert.equal(await status(nobody, bearing(token, "GET"), "connectors"), 401, token);
    }
    const basic = Buffer.from("pipeline:may-write").toString("base64");
    assert.equal(await status(nobody, { headers: { authorization: `Basic ${basic}` } }), 401);
    const answer = await nobody(`${service.url}connectors`);
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
    assert.equal((await answer.text()).includes("may-write"), false);
  });

  it("is as wide as the role of a token", async () => {
    const nobody = await clientOf(null, authority);
    assert.equal(await status(nobody, bearing("look-only", "GET"), "connectors"), 200);
    assert.equal(await status(nobody, bearing("look-only", "POST")), 403);
    assert.equal(await status(nobody, bearing("may-write", "GET"), "connectors"), 200);
    assert.equal(await status(nobody, bearing("may-write", "POST")), 202);
    const { caller, method, url } = lines.find(({ msg }) => msg === "change over rest") ?? {};
    assert.deepEqual({ caller, method, url }, { caller: "pipeline", method: "POST", url: "/headrace/rejoin" });
  });

  it("is whole for a certificate of the truststore, and none for another one's", async () => {
    assert.equal(await status(await clientOf(authority, authority), { method: "POST" }), 202);
    assert.equal(await status(service.fetch, { method: "POST" }), 202, "another worker");
    const stranger = await createAuthority({ commonName: "ca", validMs: DAY_MS }, Date.now());
    assert.equal(await status(await clientOf(stranger, authority)), 401);
    const fetch = createPeerFetch(() => ({ ca: authority.certificate, servername: "other.svc" }));
    await assert.rejects(status(fetch), /altnames/);
  });

  it("follows new tokens", async () => {
    const nobody = await clientOf(null, authority);
    writeFileSync(join(dir, "tokens/read/late"), "late-token");
    await eventually(
      "the token is known",
      async () => (await status(nobody, bearing("late-token", "GET"), "")) === 200,
    );
    rmSync(join(dir, "tokens/read/late"));
    await eventually(
      "it is known no more",
      async () => (await status(nobody, bearing("late-token", "GET"), "")) === 401,
    );
  });

  it("goes on while the authority is replaced: trust both, switch, drop", async () => {
    const old = authority;
    const next = await createAuthority({ commonName: "ca", validMs: DAY_MS }, Date.now());
    const both = createPeerFetch(() => ({ ca: [old.certificate, next.certificate], servername: NAME }));
    const oldClient = await clientOf(old, old);
    write(old, [old, next]);
    const trusted = [fingerprintOf(old.certificate), fingerprintOf(next.certificate)];
    await eventually("both are trusted", () => String(service.fingerprints().trusted) === String(trusted));
    assert.equal(await status(oldClient, {}, ""), 200);
    assert.equal(await status(service.fetch, {}, ""), 200);

    const renewed = await writeIdentity(next);
    const shown = fingerprintOf(renewed.certificate);
    await eventually("the new certificate is shown", () => service.fingerprints().certificate === shown);
    const newClient = await clientOf(next, next);
    assert.equal(await status(newClient, {}, ""), 200);
    assert.equal(await status(service.fetch, {}, ""), 200);
    assert.equal(await status(both, bearing("look-only", "GET"), ""), 200);

    write(next, [next]);
    await eventually("the old one is dropped", () => service.fingerprints().trusted.length === 1);
    assert.equal(await status(newClient, {}, ""), 200);
    assert.equal(await status(await clientOf(old, next), {}, ""), 401);
  });

  it("keeps what it has while files cannot be used, and says so once", async () => {
    const client = await clientOf(authority, authority);
    writeFileSync(join(dir, "keystore.pem"), "no certificate");
    await eventually("it is told", () => complaints() === 1);
    assert.equal(await status(client, {}, ""), 200);
    await writeIdentity(authority);
    const { certificate } = service.fingerprints();
    await eventually("the next one is taken", () => service.fingerprints().certificate !== certificate);
    assert.equal(complaints(), 1);
  });

  it("does not take tokens in the clear", () => {
    const properties = { listeners: "http://127.0.0.1:0", "headrace.rest.authentication": "required" };
    const problems = restProblems(configOf(properties), properties);
    assert.deepEqual(
      problems.map(({ key }) => key),
      ["headrace.rest.authentication"],
    );
  });
});
