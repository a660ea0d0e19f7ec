import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { API_GROUP } from "@headrace/contract";
import type { KubeClient } from "../kube/client.ts";
import { isKubeError, KubeError } from "../kube/errors.ts";
import { ConfigMaps, type Secret, Secrets } from "../kube/resources.ts";
import {
  type Authority,
  firstAuthority,
  fromSecretData,
  planAuthority,
  takeAuthorityStep,
  toNewSecretData,
  toSecretData,
} from "../pki/authority.ts";
import { issueCertificate, type KeyPair, lifeOf } from "../pki/certificate.ts";

/** Where the API's certificate comes from. */
export interface CertificateSource {
  /** The certificate to show now; the same object as long as it is the same. */
  current(signal: AbortSignal): Promise<KeyPair>;
}

/** Name of the operator's API Service, by which its callers know it. */
export const API_SERVICE = "headrace-operator-api";
/** Secret with the authority that signs the API's certificates, and its key. */
const AUTHORITY_SECRET = "headrace-operator-ca";
/** ConfigMap with the authority's certificates, for those who call the API. */
export const AUTHORITY_CONFIG_MAP = "headrace-operator-ca-cert";

const LABELS = { [`${API_GROUP}/kind`]: "operator" };
const DAY_MS = 86_400_000;
const LIFE_MS = 30 * DAY_MS;
const RENEW_BEFORE_MS = 10 * DAY_MS;

/** `tls.crt` and `tls.key` of a directory, as a Secret of type kubernetes.io/tls is mounted. Throws if one cannot be read. */
export function createFileCertificate(dir: string): CertificateSource {
  let last: KeyPair | null = null;
  return {
    async current(signal) {
      const read = (name: string) => readFile(join(dir, name), { encoding: "utf8", signal });
      const [certificate, key] = await Promise.all([read("tls.crt"), read("tls.key")]);
      if (last?.certificate !== certificate || last.key !== key) last = { certificate, key };
      return last;
    },
  };
}

export interface OwnCertificateDeps {
  readonly kube: Pick<KubeClient, "get" | "create" | "patch" | "apply">;
  /** The operator's. */
  readonly namespace: string;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

/**
 * Certificates of an authority of the operator's own, which all its replicas share in a Secret; each replica makes its own certificate, which
 * stays in memory. A new authority is told 120 days before the present one ends, and signs for its last week: callers have to take it up
 * between. Throws KubeError.
 */
export function createOwnCertificate({ kube, namespace, now }: OwnCertificateDeps): CertificateSource {
  const secretKey = { namespace, name: AUTHORITY_SECRET };
  const maker = () => ({ commonName: `headrace-operator.${namespace}`, nowMs: now() });
  let last: { readonly authority: string; readonly pair: KeyPair } | null = null;

  async function keepAuthority(signal: AbortSignal): Promise<Authority> {
    const secret = (await kube.get(Secrets, secretKey, signal)) ?? (await create(signal));
    const kept = fromSecretData(secret.data);
    if (secret.metadata.labels?.[`${API_GROUP}/kind`] !== "operator" || kept === null) {
      throw new KubeError(
        "invalid",
        `the Secret ${AUTHORITY_SECRET} holds no authority of the operator: delete or rename it`,
      );
    }
    const use = { nowMs: now(), renew: false, trustedByAll: null, switchedByAll: false };
    const step = planAuthority(kept, use);
    if (step === "none") return kept;
    const authority = await takeAuthorityStep(kept, step, maker());
    const metadata = { resourceVersion: secret.metadata.resourceVersion };
    await kube.patch(Secrets, secretKey, { metadata, data: toSecretData(authority) }, signal);
    return authority;
  }

  /** The Secret, made by us or by another replica at the same moment. */
  async function create(signal: AbortSignal): Promise<Secret> {
    const made: Secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { ...secretKey, labels: LABELS },
      type: "Opaque",
      data: toNewSecretData(await firstAuthority(maker())),
    };
    try {
      return await kube.create(Secrets, made, signal);
    } catch (error) {
      const other = isKubeError(error, "already-exists") ? await kube.get(Secrets, secretKey, signal) : null;
      if (other === null) throw error;
      return other;
    }
  }

  async function publish(authority: Authority, signal: AbortSignal): Promise<void> {
    const metadata = { namespace, name: AUTHORITY_CONFIG_MAP, labels: LABELS };
    const data = { "ca.crt": authority.trusted.join("") };
    await kube.apply(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data }, signal);
  }

  return {
    async current(signal) {
      const authority = await keepAuthority(signal);
      const { certificate } = authority.signing;
      await publish(authority, signal);
      const usable = last?.authority === certificate && lifeOf(last.pair.certificate).untilMs - now() > RENEW_BEFORE_MS;
      if (last === null || !usable) {
        const subject = {
          commonName: API_SERVICE,
          names: namesIn(namespace),
          usages: ["server"],
          validMs: LIFE_MS,
        } as const;
        last = { authority: certificate, pair: await issueCertificate(authority.signing, subject, now()) };
      }
      return last.pair;
    },
  };
}

/** What callers dial: the Service, or a forwarded port of their own machine. */
function namesIn(namespace: string): readonly string[] {
  const short = `${API_SERVICE}.${namespace}`;
  return [`${short}.svc`, API_SERVICE, short, `${short}.svc.cluster.local`, "localhost", "127.0.0.1", "::1"];
}
