import type { KafkaConnectSpec } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import { workerServerName } from "../worker-trust.ts";

type Properties = Readonly<Record<string, string>>;

const CERTIFICATES_DIR = "/opt/headrace/rest/certificates";
const TOKENS_DIR = "/opt/headrace/rest/tokens";
const CERTIFICATES = "headrace-rest";
const TOKENS = "headrace-rest-tokens";
const PREFIX = "listeners.https.ssl";

/** Whether the operator keeps certificates for the workers: not for those of Apache Kafka Connect, which do not follow new ones. */
export function hasCertificates({ runtime }: KafkaConnectSpec): boolean {
  return runtime !== "Jvm";
}

/** Whether callers of the workers' REST API have to prove themselves. */
export function isClosed(spec: KafkaConnectSpec): boolean {
  return hasCertificates(spec) && spec.rest?.security !== "Open";
}

/** Scheme of the workers' REST API. */
export function restScheme(spec: KafkaConnectSpec): "http" | "https" {
  return isClosed(spec) ? "https" : "http";
}

/**
 * Worker properties of the REST API's security. An open worker has the certificates, too, so that it can call a closed one of its
 * cluster while the one is being replaced by the other.
 */
export function restProperties({ metadata, spec }: KafkaConnect): Properties {
  if (!hasCertificates(spec)) return {};
  const { name, namespace = "" } = metadata;
  return {
    [`${PREFIX}.keystore.type`]: "PEM",
    [`${PREFIX}.keystore.location`]: `${CERTIFICATES_DIR}/keystore.pem`,
    [`${PREFIX}.truststore.type`]: "PEM",
    [`${PREFIX}.truststore.location`]: `${CERTIFICATES_DIR}/ca.crt`,
    "headrace.rest.server.name": workerServerName({ namespace, name }),
    ...(isClosed(spec) ? CLOSED : {}),
    ...(hasTokens(spec) ? { "headrace.rest.tokens.dir": TOKENS_DIR } : {}),
  };
}

/** Whoever has no certificate may have a token. */
const CLOSED: Properties = {
  [`${PREFIX}.client.auth`]: "requested",
  "headrace.rest.authentication": "required",
};

/** Volumes of a worker pod. Tokens come from the users' Secrets by the kubelet: the operator never sees them. */
export function restVolumes(spec: KafkaConnectSpec, secretName: string): readonly object[] {
  if (!hasCertificates(spec)) return [];
  const items = ["keystore.pem", "ca.crt"].map((key) => ({ key, path: key }));
  const sources = (spec.rest?.tokens ?? []).map(({ name, role, secretKeyRef }) => ({
    secret: { name: secretKeyRef.name, items: [{ key: secretKeyRef.key, path: `${role}/${name}` }] },
  }));
  return [
    { name: CERTIFICATES, secret: { secretName, items } },
    ...(hasTokens(spec) ? [{ name: TOKENS, projected: { sources } }] : []),
  ];
}

/** Where the worker's container sees them. */
export function restMounts(spec: KafkaConnectSpec): readonly object[] {
  if (!hasCertificates(spec)) return [];
  return [
    { name: CERTIFICATES, mountPath: CERTIFICATES_DIR, readOnly: true },
    ...(hasTokens(spec) ? [{ name: TOKENS, mountPath: TOKENS_DIR, readOnly: true }] : []),
  ];
}

function hasTokens(spec: KafkaConnectSpec): boolean {
  return isClosed(spec) && (spec.rest?.tokens ?? []).length > 0;
}
