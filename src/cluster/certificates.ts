import { randomBytes } from "node:crypto";
import { API_GROUP, type SelfInfo } from "@headrace/contract";
import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { EventRecorder, KubeClient, ObjectKey } from "../kube/client.ts";
import { type Secret, Secrets } from "../kube/resources.ts";
import {
  type Authority,
  type AuthorityStep,
  type AuthorityUse,
  decode,
  encode,
  firstAuthority,
  fromSecretData,
  planAuthority,
  takeAuthorityStep,
  toNewSecretData,
  toSecretData,
} from "../pki/authority.ts";
import {
  fingerprintOf,
  isIssuedBy,
  issueCertificate,
  type KeyPair,
  lifeOf,
  splitCertificates,
} from "../pki/certificate.ts";
import { toKeyStore, toTrustStore } from "../pki/pkcs12.ts";
import { type ConnectClient, isConnectError } from "../worker/connect-client.ts";
import { authoritySecretName, type WorkerTrust, workerServerName } from "../worker/trust.ts";
import { allEnded } from "./all-ended.ts";
import { objectMeta, podDomain, restSecretName } from "./names.ts";
import { isOwnedBy, readOwnSecret } from "./own-secret.ts";
import { KEYSTORE_P12, KEYSTORE_PASSWORD, TRUSTSTORE_P12 } from "./rest-security.ts";
import type { WorkerPod } from "./worker-pod.ts";

/** On the Secret of an authority, with any value: replace it now. */
export const RENEW_ANNOTATION = `${API_GROUP}/renew`;

/** Name of the Secret with the certificates of the authority alone, for those who call the API Service themselves. */
export function publicSecretName(cluster: string): string {
  return `${workloadName(cluster)}-ca-cert`;
}

/** Keeps the certificates of clusters. */
export interface Certificates {
  /**
   * Makes what is missing, renews what ends soon, and takes at most one step of a replacement of the authority. Idempotent; looks only
   * once a minute unless something is under way. Throws KubeError `invalid` if a Secret of the name is somebody else's. Answers with
   * the mark of the certificates that workers which start now are given.
   */
  keep(connect: KafkaConnect, pods: readonly WorkerPod[], signal: AbortSignal): Promise<string>;
  /** False before `keep` has looked at the cluster's certificates. */
  isKept(connect: KafkaConnect): boolean;
  /** Clusters other than these are gone. */
  retain(uids: ReadonlySet<string | undefined>): void;
}

export interface CertificateDeps {
  readonly kube: KubeClient;
  readonly connect: Pick<ConnectClient, "self">;
  readonly trust: Pick<WorkerTrust, "learn" | "forget">;
  readonly events: EventRecorder;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

/** What a worker shows and trusts; `none`: nothing that others depend on. */
type Told = NonNullable<SelfInfo["tls"]> | "none" | "unknown";

const DAY_MS = 86_400_000;
const WORKER_LIFE_MS = 90 * DAY_MS;
/** Where each new certificate is a roll. */
const JVM_WORKER_LIFE_MS = 365 * DAY_MS;
/** A worker's certificate is renewed when less than this is left. */
const RENEW_WORKER_BEFORE_MS = 30 * DAY_MS;
const LOOK_AGAIN_MS = 60_000;
const JAVA_KEYS = [KEYSTORE_P12, TRUSTSTORE_P12, KEYSTORE_PASSWORD];

const STEP_EVENTS = {
  introduce: "A new certificate authority was made; the workers get to trust it beside the present one.",
  switch: "All workers trust the new certificate authority: it signs from now on.",
  drop: "All workers show certificates of the new authority: the former one is trusted no more.",
} as const satisfies Record<Exclude<AuthorityStep, "none">, string>;

export function createCertificates({ kube, connect, trust, events, now }: CertificateDeps): Certificates {
  const looked = new Map<string, { readonly cluster: ObjectKey; readonly atMs: number; readonly mark: string }>();

  const readOwn = (resource: KafkaConnect, name: string, signal: AbortSignal) =>
    readOwnSecret(kube, resource, { name }, signal);

  /** The authority as it is kept, after one step if one is due. */
  async function keepAuthority(
    resource: KafkaConnect,
    seen: { readonly pods: readonly WorkerPod[]; readonly worker: Secret | null; readonly secret: Secret | null },
    signal: AbortSignal,
  ): Promise<Authority> {
    const { pods, worker, secret } = seen;
    const cluster = keyOf(resource);
    const name = authoritySecretName(cluster.name);
    const maker = { commonName: `${workloadName(cluster.name)}.${cluster.namespace}`, nowMs: now() };
    const kept = fromSecretData(secret?.data);
    if (kept === null) {
      // What the workers trust stays trusted: their present certificates are of an authority whose key is lost.
      const authority = await firstAuthority(maker, splitCertificates(decode(worker?.data?.["ca.crt"])));
      const metadata = objectMeta(resource, name, undefined);
      if (secret === null) {
        const made: Secret = {
          apiVersion: "v1",
          kind: "Secret",
          metadata,
          type: "Opaque",
          data: toNewSecretData(authority),
        };
        await kube.create(Secrets, made, signal);
      } else await write(resource, secret, authority, signal);
      if (secret !== null || worker !== null) {
        const message = `The Secret ${name} was lost or could not be read; the workers get certificates of a new authority.`;
        events.record(resource, { type: "Warning", reason: "CertificateAuthorityLost", message });
      }
      return authority;
    }
    if (secret === null) throw new Error("unreachable: an authority without a Secret");
    const renew = secret.metadata.annotations?.[RENEW_ANNOTATION] !== undefined;
    const step = planAuthority(kept, await useOf(cluster, kept, { pods, worker, renew }, signal));
    if (step === "none") {
      if (!isOwnedBy(secret, resource)) await write(resource, secret, kept, signal);
      return kept;
    }
    const authority = await takeAuthorityStep(kept, step, maker);
    await write(resource, secret, authority, signal);
    events.record(resource, { type: "Normal", reason: "CertificateAuthorityRenewal", message: STEP_EVENTS[step] });
    return authority;
  }

  /** Fails with `conflict` if somebody else has written meanwhile. */
  async function write(
    resource: KafkaConnect,
    secret: Secret,
    authority: Authority,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, resourceVersion } = secret.metadata;
    const { ownerReferences, namespace = "" } = objectMeta(resource, name, undefined);
    const metadata = { resourceVersion, ownerReferences, annotations: { [RENEW_ANNOTATION]: null } };
    await kube.patch(Secrets, { namespace, name }, { metadata, data: toSecretData(authority) }, signal);
  }

  /** Asks the workers what they trust and show, if a step depends on it. */
  async function useOf(
    cluster: ObjectKey,
    { signing, next, trusted }: Authority,
    seen: { readonly pods: readonly WorkerPod[]; readonly worker: Secret | null; readonly renew: boolean },
    signal: AbortSignal,
  ): Promise<AuthorityUse> {
    const use = { nowMs: now(), renew: seen.renew, trustedByAll: null, switchedByAll: false };
    if (next === null && trusted.length === 1) return use;
    const told = await Promise.all(
      seen.pods.map(async ({ ip, ended, certificates }): Promise<Told> => {
        if (certificates !== null) return toTls(certificates);
        return ip === null || ended !== null ? "none" : await ask(cluster, ip, signal);
      }),
    );
    if (told.includes("unknown")) return use;
    const known = told.filter((tls) => typeof tls === "object");
    const shown = pairOf(seen.worker);
    const switched = shown !== null && isIssuedBy(shown, signing.certificate);
    const current = switched ? fingerprintOf(shown.certificate) : null;
    return {
      ...use,
      trustedByAll: new Set(
        [signing, ...(next === null ? [] : [next])]
          .map(({ certificate }) => fingerprintOf(certificate))
          .filter((fingerprint) => known.every((tls) => tls.trusted.includes(fingerprint))),
      ),
      switchedByAll: switched && known.every(({ certificate }) => certificate === current),
    };
  }

  async function ask(cluster: ObjectKey, ip: string, signal: AbortSignal): Promise<Told> {
    try {
      return (await connect.self({ cluster, ip }, signal)).tls ?? "unknown";
    } catch (error) {
      // Apache's worker, open: it shows no certificate, and reads whom it trusts each time that it calls another one.
      if (isConnectError(error, "not-found")) return "none";
      if (isConnectError(error)) return "unknown";
      throw error;
    }
  }

  async function keepWorkerSecret(
    resource: KafkaConnect,
    { authority, worker }: { readonly authority: Authority; readonly worker: Secret | null },
    signal: AbortSignal,
  ): Promise<string> {
    const kept = pairOf(worker);
    const isWhole = JAVA_KEYS.every((key) => isJvm(resource) === (worker?.data?.[key] !== undefined));
    const usable =
      kept !== null &&
      isWhole &&
      isIssuedBy(kept, authority.signing.certificate) &&
      lifeOf(kept.certificate).untilMs - now() > RENEW_WORKER_BEFORE_MS;
    const bundle = authority.trusted.join("");
    if (usable && decode(worker?.data?.["ca.crt"]) === bundle && isOwnedBy(worker, resource)) {
      return certificatesMark(kept, authority);
    }
    const pair = usable ? kept : await issueCertificate(authority.signing, subjectOf(resource), now());
    const files = isJvm(resource) ? javaFiles(pair, authority, worker) : {};
    await kube.apply(Secrets, buildWorkerSecret(resource, { ...pemFiles(pair, authority), ...files }), signal);
    return certificatesMark(pair, authority);
  }

  async function keepPublicSecret(
    resource: KafkaConnect,
    { authority, shown }: { readonly authority: Authority; readonly shown: Secret | null },
    signal: AbortSignal,
  ): Promise<void> {
    const name = publicSecretName(resource.metadata.name);
    const data = { "ca.crt": encode(authority.trusted.join("")) };
    if (shown?.data?.["ca.crt"] === data["ca.crt"] && isOwnedBy(shown, resource)) return;
    const metadata = objectMeta(resource, name, undefined);
    await kube.apply(Secrets, { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data }, signal);
  }

  return {
    async keep(resource, pods, signal) {
      const { uid = "", name } = resource.metadata;
      const last = looked.get(uid);
      if (last !== undefined && now() - last.atMs < LOOK_AGAIN_MS) return last.mark;
      const cluster = keyOf(resource);
      const [worker = null, secret = null, shown = null] = await allEnded(
        [restSecretName(name), authoritySecretName(name), publicSecretName(name)].map((own) =>
          readOwn(resource, own, signal),
        ),
      );
      const authority = await keepAuthority(resource, { pods, worker, secret }, signal);
      const kept = keepWorkerSecret(resource, { authority, worker }, signal);
      await allEnded<unknown>([kept, keepPublicSecret(resource, { authority, shown }, signal)]);
      trust.learn(cluster, authority);
      const mark = await kept;
      looked.set(uid, { cluster, atMs: now(), mark });
      return mark;
    },
    isKept: ({ metadata }) => looked.has(metadata.uid ?? ""),
    retain(uids) {
      for (const [uid, { cluster }] of looked) {
        if (uids.has(uid)) continue;
        looked.delete(uid);
        trust.forget(cluster);
      }
    },
  };
}

function keyOf({ metadata }: KafkaConnect): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}

/** False for a Secret that a deleted KafkaConnect of the same name has left: it would be collected with that one. */
function isJvm({ spec }: KafkaConnect): boolean {
  return spec.runtime === "Jvm";
}

/** On one line: the fingerprint of the workers' certificate, then those of whom they trust. */
function certificatesMark({ certificate }: KeyPair, { trusted }: Authority): string {
  return [certificate, ...trusted].map(fingerprintOf).join(" ");
}

/** What a worker with such a mark would tell. */
function toTls(mark: string): NonNullable<SelfInfo["tls"]> {
  const [certificate = "", ...trusted] = mark.split(" ");
  return { certificate, trusted };
}

function subjectOf(resource: KafkaConnect) {
  const cluster = keyOf(resource);
  const service = workerServerName(cluster);
  const [short = ""] = service.split(".");
  const pods = isJvm(resource) ? [`*.${podDomain(cluster.name, cluster.namespace)}`] : [];
  const names = [service, short, `${short}.${cluster.namespace}`, `${service}.cluster.local`, ...pods];
  return {
    commonName: workloadName(cluster.name),
    names,
    usages: ["server", "client"],
    validMs: isJvm(resource) ? JVM_WORKER_LIFE_MS : WORKER_LIFE_MS,
  } as const;
}

function pairOf(secret: Secret | null): KeyPair | null {
  const certificate = decode(secret?.data?.["tls.crt"]);
  const key = decode(secret?.data?.["tls.key"]);
  return certificate === "" || key === "" ? null : { certificate, key };
}

function buildWorkerSecret(resource: KafkaConnect, data: Readonly<Record<string, string>>): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: objectMeta(resource, restSecretName(resource.metadata.name), undefined),
    type: "kubernetes.io/tls",
    data,
  };
}

/** `keystore.pem` is key and certificate in one file: the worker reads them in one step. */
function pemFiles({ certificate, key }: KeyPair, { trusted }: Authority): Readonly<Record<string, string>> {
  return {
    "tls.crt": encode(certificate),
    "tls.key": encode(key),
    "ca.crt": encode(trusted.join("")),
    "keystore.pem": encode(key + certificate),
  };
}

/**
 * The password is as secret as the key in the same Secret; Java wants one. It stays the one of `former`: a worker reads it once, but the
 * files also each time that it calls another worker.
 */
function javaFiles(pair: KeyPair, { trusted }: Authority, former: Secret | null): Readonly<Record<string, string>> {
  const password = decode(former?.data?.[KEYSTORE_PASSWORD]) || randomBytes(24).toString("base64url");
  return {
    [KEYSTORE_P12]: toKeyStore(pair, { alias: "worker", password }).toString("base64"),
    [TRUSTSTORE_P12]: toTrustStore(trusted).toString("base64"),
    [KEYSTORE_PASSWORD]: encode(password),
  };
}
