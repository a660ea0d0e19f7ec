import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createFileCertificate, createOwnCertificate } from "#operator/api/certificate.ts";
import { isKubeError } from "#operator/kube/errors.ts";
import { ConfigMaps, Secrets } from "#operator/kube/resources.ts";
import { decode } from "#operator/pki/authority.ts";
import { isIssuedBy, lifeOf, splitCertificates } from "#operator/pki/certificate.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const DAY_MS = 86_400_000;
const signal = new AbortController().signal;

describe("createOwnCertificate", () => {
  function open() {
    const kube = createFakeKube();
    const clock = { ms: Date.UTC(2030, 0, 1) };
    const replica = () => createOwnCertificate({ kube: kube.client, namespace: "ops", now: () => clock.ms });
    const secret = () => kube.find(Secrets, { namespace: "ops", name: "headrace-operator-ca" });
    const told = () => {
      const map = kube.find(ConfigMaps, { namespace: "ops", name: "headrace-operator-ca-cert" });
      return splitCertificates(map?.data?.["ca.crt"] ?? "");
    };
    return { kube, clock, replica, secret, told };
  }

  it("makes an authority, tells its certificate and shows one that it signed, the same until 10 days before its end", async () => {
    const { clock, replica, secret, told } = open();
    const source = replica();
    const pair = await source.current(signal);
    const [authority = "", ...others] = told();
    assert.deepEqual(others, []);
    assert.ok(isIssuedBy(pair, authority));
    assert.equal(decode(secret()?.data?.["ca.crt"]), authority);
    assert.equal(await source.current(signal), pair);
    clock.ms += 19 * DAY_MS;
    assert.equal(await source.current(signal), pair);
    clock.ms += 2 * DAY_MS;
    const renewed = await source.current(signal);
    assert.notEqual(renewed, pair);
    assert.ok(isIssuedBy(renewed, authority));
  });

  it("shares the authority with other replicas, also if both make it at once", async () => {
    const { kube, replica, told } = open();
    const pairs = await Promise.all([replica().current(signal), replica().current(signal)]);
    const [authority = ""] = told();
    for (const pair of pairs) assert.ok(isIssuedBy(pair, authority));
    assert.equal(kube.all(Secrets).length, 1);
  });

  it("tells a new authority months before it signs", async () => {
    const { clock, replica, told } = open();
    const source = replica();
    await source.current(signal);
    const [former = ""] = told();
    clock.ms += 611 * DAY_MS;
    const between = await source.current(signal);
    const [, next = ""] = told();
    assert.ok(isIssuedBy(between, former));
    clock.ms += 113 * DAY_MS;
    const after = await source.current(signal);
    assert.ok(isIssuedBy(after, next));
    assert.ok(lifeOf(after.certificate).untilMs > clock.ms);
    assert.deepEqual(told(), [former, next]);
    clock.ms += 7 * DAY_MS;
    await source.current(signal);
    assert.deepEqual(told(), [next]);
  });

  it("leaves a Secret of the name alone that is somebody else's", async () => {
    const { kube, replica } = open();
    const data = { theirs: "eA==" };
    const metadata = { namespace: "ops", name: "headrace-operator-ca" };
    kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata, data });
    await assert.rejects(replica().current(signal), (error) => isKubeError(error, "invalid"));
    assert.deepEqual(kube.all(Secrets)[0]?.data, data);
  });
});

describe("createFileCertificate", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-api-certificate-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it("reads what is mounted, the same object until it changes", async () => {
    const source = createFileCertificate(dir);
    await assert.rejects(source.current(signal), /ENOENT/);
    await writeFile(join(dir, "tls.crt"), "certificate");
    await writeFile(join(dir, "tls.key"), "key");
    const first = await source.current(signal);
    assert.deepEqual(first, { certificate: "certificate", key: "key" });
    assert.equal(await source.current(signal), first);
    await writeFile(join(dir, "tls.key"), "other");
    assert.deepEqual(await source.current(signal), { certificate: "certificate", key: "other" });
  });
});
