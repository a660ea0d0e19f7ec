import { randomBytes } from "node:crypto";
import { API_GROUP } from "@headrace/contract";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import {
  type Secret,
  Secrets,
  type ValidatingWebhookConfiguration,
  ValidatingWebhookConfigurations,
  type WebhookClientConfig,
} from "../kube/resources.ts";
import {
  type Authority,
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

/** What the webhook's server needs. */
export interface ServingMaterial {
  /** Key and certificate for all names under which the API server reaches us. */
  readonly pair: KeyPair;
  /** Only the API server knows it: whoever asks at another path is nobody whose questions are answered. */
  readonly path: string;
  /** Whether the API server knows both the authority and the path. */
  readonly told: boolean;
}

export interface WebhookCertificateDeps {
  /** For reading, and for what any replica may make. */
  readonly kube: KubeClient;
  /** Fenced: for what only the leader changes. */
  readonly leaderKube: KubeClient;
  readonly isLeader: () => boolean;
  /** Secret with the authority. */
  readonly secret: ObjectKey;
  /** Name of the ValidatingWebhookConfiguration. */
  readonly configuration: string;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

/** On the Secret, with any value: replace the authority now. */
const RENEW_ANNOTATION = `${API_GROUP}/renew`;
const TOKEN_KEY = "path-token";
const DAY_MS = 86_400_000;
const SERVING_LIFE_MS = 90 * DAY_MS;
const RENEW_BEFORE_MS = 30 * DAY_MS;

/** Certificates of the webhook, without anybody else's help. */
export interface WebhookCertificates {
  /**
   * Makes what is missing, renews what ends soon, and, as leader, takes at most one step of a replacement of the authority and tells the
   * API server whom to trust and where to ask. Answers null as long as the ValidatingWebhookConfiguration is not there. Idempotent.
   */
  keep(signal: AbortSignal): Promise<ServingMaterial | null>;
}

/**
 * Each replica has a certificate of its own, in memory; the authority is shared. Assumptions: every replica calls `keep` at least every
 * minute, so that it serves with a certificate of a new authority before the former one is dropped (SETTLE_MS of src/pki/authority.ts).
 */
export function createWebhookCertificates(deps: WebhookCertificateDeps): WebhookCertificates {
  const { kube, leaderKube, isLeader, secret: key, configuration: name, now } = deps;
  let pair: (KeyPair & { readonly names: string }) | null = null;

  async function readSecret(signal: AbortSignal): Promise<Secret> {
    const found = await kube.get(Secrets, key, signal);
    if (found !== null && fromSecretData(found.data) !== null && found.data?.[TOKEN_KEY] !== undefined) return found;
    const authority = await firstAuthority({ commonName: commonName(key), nowMs: now() });
    // The path of a webhook's Service may have lower-case letters and digits only.
    const data = { ...toNewSecretData(authority), [TOKEN_KEY]: encode(randomBytes(24).toString("hex")) };
    if (found !== null) {
      const { resourceVersion = "" } = found.metadata;
      return await kube.patch(Secrets, key, { metadata: { resourceVersion }, data }, signal);
    }
    const metadata = { ...key, labels: { [`${API_GROUP}/kind`]: "Webhook" } };
    try {
      return await kube.create(Secrets, { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data }, signal);
    } catch (error) {
      const made = isKubeError(error, "already-exists") ? await kube.get(Secrets, key, signal) : null;
      if (made === null) throw error;
      return made;
    }
  }

  /** The authority after one step, if one is due and we lead. */
  async function keepAuthority(
    secret: Secret,
    configuration: ValidatingWebhookConfiguration,
    signal: AbortSignal,
  ): Promise<Authority> {
    const authority = fromSecretData(secret.data);
    if (authority === null) throw new Error(`the Secret ${key.name} has no certificate authority`);
    if (!isLeader()) return authority;
    const renew = secret.metadata.annotations?.[RENEW_ANNOTATION] !== undefined;
    const trustedByAll = trustedIn(configuration);
    const step = planAuthority(authority, { nowMs: now(), renew, trustedByAll, switchedByAll: true });
    if (step === "none") return authority;
    const next = await takeAuthorityStep(authority, step, { commonName: commonName(key), nowMs: now() });
    const { resourceVersion = "" } = secret.metadata;
    const metadata = { resourceVersion, annotations: { [RENEW_ANNOTATION]: null } };
    await leaderKube.patch(Secrets, key, { metadata, data: toSecretData(next) }, signal);
    return next;
  }

  /** Answers whether it knows. */
  async function tellApiServer(
    configuration: ValidatingWebhookConfiguration,
    wanted: { readonly caBundle: string; readonly path: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { apiVersion, kind, webhooks = [] } = configuration;
    const told = webhooks.map((webhook) => ({
      name: webhook.name,
      clientConfig: toClientConfig(webhook.clientConfig, wanted),
    }));
    const isTold = told.every(({ clientConfig }, index) => isIncluded(clientConfig, webhooks[index]?.clientConfig));
    if (isTold || !isLeader()) return isTold;
    const object = { apiVersion, kind, metadata: { name }, webhooks: told };
    await leaderKube.apply(ValidatingWebhookConfigurations, object, signal);
    return true;
  }

  async function keepPair({ signing }: Authority, names: readonly string[]): Promise<KeyPair> {
    const usable =
      pair !== null &&
      pair.names === names.join() &&
      isIssuedBy(pair, signing.certificate) &&
      lifeOf(pair.certificate).untilMs - now() > RENEW_BEFORE_MS;
    if (usable && pair !== null) return pair;
    const subject = { commonName: commonName(key), names, usages: ["server"], validMs: SERVING_LIFE_MS } as const;
    const issued = await issueCertificate(signing, subject, now());
    pair = { ...issued, names: names.join() };
    return pair;
  }

  return {
    async keep(signal) {
      const configuration = await kube.get(ValidatingWebhookConfigurations, { namespace: "", name }, signal);
      if (configuration === null) return null;
      const secret = await readSecret(signal);
      const authority = await keepAuthority(secret, configuration, signal);
      const path = `/validate/${decode(secret.data?.[TOKEN_KEY])}`;
      const wanted = { caBundle: encode(authority.trusted.join("")), path };
      const told = await tellApiServer(configuration, wanted, signal);
      return { pair: await keepPair(authority, namesIn(configuration)), path, told };
    },
  };
}

/** The hosts under which the API server reaches the webhooks, sorted. */
export function namesIn({ webhooks = [] }: ValidatingWebhookConfiguration): readonly string[] {
  const names = webhooks.flatMap(({ clientConfig: { service, url } }) => {
    if (service?.name !== undefined) return [`${service.name}.${service.namespace}.svc`];
    return url === undefined ? [] : [new URL(url).hostname.replace(/^\[|\]$/g, "")];
  });
  return [...new Set(names)].toSorted();
}

/** Fingerprints of the authorities that every webhook of the configuration has in its bundle. */
function trustedIn({ webhooks = [] }: ValidatingWebhookConfiguration): ReadonlySet<string> {
  const bundles = webhooks.map(
    ({ clientConfig }) => new Set(splitCertificates(decode(clientConfig.caBundle)).map(fingerprintOf)),
  );
  const [first = new Set<string>(), ...others] = bundles;
  return new Set([...first].filter((fingerprint) => others.every((bundle) => bundle.has(fingerprint))));
}

function toClientConfig(
  { service, url }: WebhookClientConfig,
  { caBundle, path }: { readonly caBundle: string; readonly path: string },
): WebhookClientConfig {
  if (url === undefined || service !== undefined) return { caBundle, service: { path } };
  return { caBundle, url: new URL(path, url).href };
}

function isIncluded(wanted: WebhookClientConfig, present: WebhookClientConfig | undefined): boolean {
  if (wanted.caBundle !== present?.caBundle) return false;
  return wanted.url === undefined ? wanted.service?.path === present?.service?.path : wanted.url === present?.url;
}

function commonName({ namespace, name }: ObjectKey): string {
  return `${name}.${namespace}`;
}
