import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec, SelfInfo } from "@headrace/contract";
import { createCertificates, RENEW_ANNOTATION } from "#operator/cluster/certificates.ts";
import { toWorkerPod } from "#operator/cluster/worker-pod.ts";
import { isKubeError } from "#operator/kube/errors.ts";
import { type Secret, Secrets } from "#operator/kube/resources.ts";
import { decode } from "#operator/pki/authority.ts";
import { fingerprintOf, isIssuedBy, splitCertificates } from "#operator/pki/certificate.ts";
import { ConnectRestError, isConnectError, type Worker } from "#operator/worker/connect-client.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { kafkaConnect, workerPod } from "#support/connect-objects.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const CLUSTER = { namespace: "ns", name: "my-connect" };

function setUp(spec: Partial<KafkaConnectSpec> = {}) {
  const kube = createFakeKube();
  const clock = { nowMs: Date.UTC(2030, 0, 1) };
  const now = () => clock.nowMs;
  const trust = createWorkerTrust(kube.client, now);
  /** What each worker has loaded from the mounted Secret, by address. */
  const loaded = new Map<string, NonNullable<SelfInfo["tls"]>>();
  const connect = {
    async self({ ip }: Worker): Promise<SelfInfo> {
      const tls = loaded.get(ip);
      if (spec.runtime === "Jvm") throw new ConnectRestError("not-found", "HTTP 404 Not Found");
      if (tls === undefined) throw new ConnectRestError("unreachable", "nobody answers");
      return { workerId: ip, memberId: "m", podUid: null, draining: false, tls };
    },
  };
  const certificates = createCertificates({ kube: kube.client, connect, trust, events: kube.recorder, now });
  const secret = (suffix: string): Secret => {
    const found = kube.find(Secrets, { namespace: "ns", name: `my-connect-connect-${suffix}` });
    assert.ok(found !== null, suffix);
    return found;
  };
  const text = (suffix: string, key: string) => decode(secret(suffix).data?.[key]);
  const trusted = () => splitCertificates(text("tls", "ca.crt"));
  const shown = () => ({ certificate: text("tls", "tls.crt"), key: text("tls", "tls.key") });
  const pods = [0, 1].map((ordinal) => toWorkerPod(workerPod(ordinal), "my-connect-connect"));
  const load = (ordinal: number) =>
    loaded.set(`10.0.0.${ordinal + 1}`, {
      certificate: fingerprintOf(shown().certificate),
      trusted: trusted().map(fingerprintOf),
    });
  const signal = AbortSignal.timeout(30_000);
  const resource = kafkaConnect(spec);
  return {
    kube,
    clock,
    trust,
    secret,
    text,
    trusted,
    shown,
    load,
    signal,
    keep: () => certificates.keep(resource, pods, signal),
    /** The next look, with pods that were started with these certificates. */
    async nextWith(...marks: readonly string[]) {
      clock.nowMs += 3 * MINUTE_MS;
      const started = marks.map((mark, ordinal) => ({
        ...toWorkerPod(workerPod(ordinal), "my-connect-connect"),
        certificates: mark,
      }));
      return await certificates.keep(resource, started, signal);
    },
    /** The next look, after the pause between two looks. */
    async next() {
      clock.nowMs += 3 * MINUTE_MS;
      await certificates.keep(resource, pods, signal);
    },
  };
}

describe("certificates of a cluster", () => {
  it("are made once, for the name of the API Service, owned by the KafkaConnect", async () => {
    const { kube, keep, next, secret, text, shown, trusted, trust, signal } = setUp();
    await keep();
    const before = kube.all(Secrets);
    await next();
    assert.deepEqual(kube.all(Secrets), before);
    assert.equal(isIssuedBy(shown(), text("ca", "ca.crt")), true);
    assert.equal(text("tls", "keystore.pem"), shown().key + shown().certificate);
    assert.deepEqual(trusted(), [text("ca", "ca.crt")]);
    assert.deepEqual(Object.keys(secret("ca-cert").data ?? {}), ["ca.crt"]);
    assert.equal(Object.keys(secret("tls").data ?? {}).includes("ca.key"), false);
    for (const { metadata } of before) assert.equal(metadata.ownerReferences?.[0]?.uid, "connect-uid");
    const tls = await trust.of(CLUSTER, signal);
    assert.equal(tls.servername, "my-connect-connect-api.ns.svc");
    assert.equal(isIssuedBy({ certificate: tls.cert, key: tls.key }, text("ca", "ca.crt")), true);
    assert.equal(await trust.of(CLUSTER, signal), tls);
  });

  it("are renewed a month before they end, by the same authority", async () => {
    const { clock, keep, next, shown, trusted } = setUp();
    await keep();
    const [certificate, authorities] = [shown().certificate, trusted()];
    clock.nowMs += 59 * DAY_MS;
    await next();
    assert.equal(shown().certificate, certificate);
    clock.nowMs += 2 * DAY_MS;
    await next();
    assert.notEqual(shown().certificate, certificate);
    assert.deepEqual(trusted(), authorities);
  });

  it("move to a new authority only as fast as the workers follow", async () => {
    const { kube, keep, next, text, secret, shown, trusted, load, trust, signal } = setUp();
    await keep();
    const old = text("ca", "ca.crt");
    for (const ordinal of [0, 1]) load(ordinal);
    kube.put(Secrets, {
      ...secret("ca"),
      metadata: { ...secret("ca").metadata, annotations: { [RENEW_ANNOTATION]: "" } },
    });
    await next();
    assert.equal(trusted().length, 2);
    assert.equal(isIssuedBy(shown(), old), true);
    assert.equal(secret("ca").metadata.annotations?.[RENEW_ANNOTATION], undefined);

    load(0);
    await next();
    assert.equal(isIssuedBy(shown(), old), true, "one worker does not trust the new authority yet");
    load(1);
    await next();
    const fresh = text("ca", "ca.crt");
    assert.notEqual(fresh, old);
    assert.equal(isIssuedBy(shown(), fresh), true);
    assert.equal(trusted().length, 2);
    const tls = await trust.of(CLUSTER, signal);
    assert.equal(isIssuedBy({ certificate: tls.cert, key: tls.key }, fresh), true);

    load(0);
    await next();
    assert.equal(trusted().length, 2, "one worker still shows its old certificate");
    load(1);
    await next();
    assert.deepEqual(trusted(), [fresh]);
    assert.deepEqual(splitCertificates(text("ca-cert", "ca.crt")), [fresh]);
    assert.equal(text("ca", "next.key"), "");
    assert.deepEqual(
      kube.events.map(({ reason }) => reason),
      Array.from({ length: 3 }, () => "CertificateAuthorityRenewal"),
    );
  });

  it("of JVM workers move to a new authority as fast as their pods are replaced, and tell by their mark when", async () => {
    const { kube, keep, nextWith, secret, shown, trusted } = setUp({ runtime: "Jvm" });
    const first = await keep();
    assert.equal(await keep(), first);
    assert.deepEqual(first.split(" "), [shown().certificate, ...trusted()].map(fingerprintOf));
    kube.put(Secrets, {
      ...secret("ca"),
      metadata: { ...secret("ca").metadata, annotations: { [RENEW_ANNOTATION]: "" } },
    });
    const both = await nextWith(first, first);
    assert.equal(both.split(" ").length, 3);
    assert.equal(await nextWith(both, first), both, "one pod does not trust the new authority yet");
    const switched = await nextWith(both, both);
    assert.notEqual(switched.split(" ")[0], first.split(" ")[0]);
    assert.equal(await nextWith(switched, both), switched, "one pod still shows the old certificate");
    const last = await nextWith(switched, switched);
    assert.deepEqual(last.split(" "), [shown().certificate, ...trusted()].map(fingerprintOf));
    assert.equal(trusted().length, 1);
    assert.equal(await nextWith(last, last), last);
  });

  it("of open JVM workers, which show none, move to a new authority without waiting for them", async () => {
    const { kube, keep, next, secret, shown, text, trusted } = setUp({ runtime: "Jvm", rest: { security: "Open" } });
    await keep();
    const old = text("ca", "ca.crt");
    kube.put(Secrets, {
      ...secret("ca"),
      metadata: { ...secret("ca").metadata, annotations: { [RENEW_ANNOTATION]: "" } },
    });
    for (let step = 0; step < 3; step += 1) await next();
    assert.notEqual(text("ca", "ca.crt"), old);
    assert.deepEqual(trusted(), [text("ca", "ca.crt")]);
    assert.equal(isIssuedBy(shown(), text("ca", "ca.crt")), true);
  });

  it("of JVM workers last a year, and come as Java's files with a password of their own", async () => {
    const { clock, keep, nextWith, secret, shown, text, kube } = setUp({ runtime: "Jvm" });
    const mark = await keep();
    assert.deepEqual(Object.keys(secret("tls").data ?? {}).toSorted(), [
      "ca.crt",
      "keystore.p12",
      "keystore.password",
      "keystore.pem",
      "tls.crt",
      "tls.key",
      "truststore.p12",
    ]);
    const { certificate } = shown();
    const password = text("tls", "keystore.password");
    clock.nowMs += 330 * DAY_MS;
    assert.equal(await nextWith(mark, mark), mark);
    clock.nowMs += 6 * DAY_MS;
    assert.notEqual(await nextWith(mark, mark), mark);
    assert.notEqual(shown().certificate, certificate);
    assert.equal(
      text("tls", "keystore.password"),
      password,
      "workers that run read new files with the password they know",
    );
    for (const key of ["keystore.p12", "truststore.p12", "keystore.password"]) {
      const rest = Object.entries(secret("tls").data ?? {}).filter(([name]) => name !== key);
      kube.put(Secrets, { ...secret("tls"), data: Object.fromEntries(rest) });
      await nextWith(mark, mark);
      assert.ok(secret("tls").data?.[key] !== undefined, `${key} made again`);
    }
  });

  it("survive the loss of the authority: what the workers show stays trusted", async () => {
    const { kube, keep, next, text, shown, trusted, load } = setUp();
    await keep();
    const old = text("ca", "ca.crt");
    kube.remove(Secrets, { namespace: "ns", name: "my-connect-connect-ca" });
    await next();
    const fresh = text("ca", "ca.crt");
    assert.deepEqual(trusted(), [fresh, old]);
    assert.equal(isIssuedBy(shown(), fresh), true);
    assert.deepEqual(
      kube.events.map(({ type, reason }) => [type, reason]),
      [["Warning", "CertificateAuthorityLost"]],
    );
    for (const ordinal of [0, 1]) load(ordinal);
    await next();
    assert.deepEqual(trusted(), [fresh]);
  });

  it("are made again when somebody deletes or spoils them", async () => {
    const { kube, keep, next, secret, shown, text } = setUp();
    await keep();
    const authority = text("ca", "ca.crt");
    kube.remove(Secrets, { namespace: "ns", name: "my-connect-connect-tls" });
    kube.put(Secrets, { ...secret("ca-cert"), data: {} });
    await next();
    assert.equal(isIssuedBy(shown(), authority), true);
    assert.equal(text("ca-cert", "ca.crt"), authority);
    kube.put(Secrets, { ...secret("ca"), data: { "ca.crt": "AAAA" } });
    await next();
    assert.notEqual(text("ca", "ca.crt"), authority);
    assert.equal(isIssuedBy(shown(), text("ca", "ca.crt")), true);
  });

  it("that a deleted KafkaConnect of the same name has left become this one's", async () => {
    const { kube, keep, next, secret } = setUp();
    await keep();
    for (const suffix of ["ca", "tls", "ca-cert"]) {
      const [owner] = secret(suffix).metadata.ownerReferences ?? [];
      assert.ok(owner !== undefined);
      const ownerReferences = [{ ...owner, uid: "former" }];
      kube.put(Secrets, { ...secret(suffix), metadata: { ...secret(suffix).metadata, ownerReferences } });
    }
    await next();
    for (const suffix of ["ca", "tls", "ca-cert"]) {
      assert.deepEqual(
        secret(suffix).metadata.ownerReferences?.map(({ uid }) => uid),
        ["connect-uid"],
      );
    }
  });

  it("do not replace a Secret that is somebody else's", async () => {
    const { kube, keep } = setUp();
    const metadata = { namespace: "ns", name: "my-connect-connect-ca" };
    const theirs: Secret = { apiVersion: "v1", kind: "Secret", metadata, data: { "ca.crt": "AAAA" } };
    kube.put(Secrets, theirs);
    await assert.rejects(keep(), (error) => isKubeError(error, "invalid") && /delete or rename it/.test(error.message));
    assert.deepEqual(kube.find(Secrets, metadata)?.data, theirs.data);
  });
});

describe("trust of workers", () => {
  it("renews the operator's own certificate, and reads an authority that another process has changed", async () => {
    const { clock, keep, trust, signal, kube } = setUp();
    await keep();
    const first = await trust.of(CLUSTER, signal);
    clock.nowMs += 13 * 60 * MINUTE_MS;
    const second = await trust.of(CLUSTER, signal);
    assert.notEqual(second.cert, first.cert);
    assert.deepEqual(second.ca, first.ca);
    kube.remove(Secrets, { namespace: "ns", name: "my-connect-connect-ca" });
    assert.equal(await trust.of(CLUSTER, signal), second);
    clock.nowMs += 2 * MINUTE_MS;
    await assert.rejects(trust.of(CLUSTER, signal), (error) => isConnectError(error, "unreachable"));
  });
});
