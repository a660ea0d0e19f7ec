import type { KafkaConnectSpec } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import { workerServerName } from "../worker/trust.ts";
import { OWN_PROVIDER } from "./kafka-access.ts";
import { LOOPBACK_PORT, podDomain, REST_PORT } from "./names.ts";

type Properties = Readonly<Record<string, string>>;

export const CERTIFICATES_DIR = "/opt/headrace/rest/certificates";
const TOKENS_DIR = "/opt/headrace/rest/tokens";
const CERTIFICATES = "headrace-rest";
const TOKENS = "headrace-rest-tokens";
const PREFIX = "listeners.https.ssl";
/** The variable of a JVM worker's container with the address on which the pod alone reaches it. */
export const LOOPBACK = { name: "HEADRACE_LOOPBACK", value: "127.0.0.1" } as const;

/** Keys of the Secret with the certificates, which are the names of the mounted files. */
export const KEYSTORE_P12 = "keystore.p12";
export const TRUSTSTORE_P12 = "truststore.p12";
export const KEYSTORE_PASSWORD = "keystore.password";

/** Whether callers of the workers' REST API have to prove themselves. */
export function isClosed(spec: KafkaConnectSpec): boolean {
  return spec.rest?.security !== "Open";
}

/** Apache's workers read their certificates once: each new one is a roll. */
export function readsCertificatesOnce(spec: KafkaConnectSpec): boolean {
  return isJvm(spec) && isClosed(spec);
}

function isJvm({ runtime }: KafkaConnectSpec): boolean {
  return runtime === "Jvm";
}

/**
 * Where the workers listen. A closed JVM worker has a second listener, which nobody outside of its pod reaches: Apache's REST API wants a
 * certificate of everybody, and the kubelet's probes have none.
 */
export function listeners(spec: KafkaConnectSpec, address: string): string {
  const listener = `${restScheme(spec)}://${address}:${REST_PORT}`;
  return readsCertificatesOnce(spec) ? `${listener},http://\${env:${LOOPBACK.name}}:${LOOPBACK_PORT}` : listener;
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
  const { name, namespace = "" } = metadata;
  if (isJvm(spec)) return { ...JVM_STORES, ...(isClosed(spec) ? closedJvm(podDomain(name, namespace)) : {}) };
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

const PASSWORD = `\${${OWN_PROVIDER}:${CERTIFICATES_DIR}:${KEYSTORE_PASSWORD}}`;

/** Apache's workers have their keystores also while they are open: to call those that are closed already. */
const JVM_STORES: Properties = {
  [`${PREFIX}.keystore.type`]: "PKCS12",
  [`${PREFIX}.keystore.location`]: `${CERTIFICATES_DIR}/${KEYSTORE_P12}`,
  [`${PREFIX}.keystore.password`]: PASSWORD,
  [`${PREFIX}.truststore.type`]: "PKCS12",
  [`${PREFIX}.truststore.location`]: `${CERTIFICATES_DIR}/${TRUSTSTORE_P12}`,
  [`${PREFIX}.truststore.password`]: PASSWORD,
  // While the runtime changes they call Headrace's workers by their addresses, which no certificate has. It is enough that one for servers is
  // the authority's: it signs such for the workers of this cluster only.
  [`${PREFIX}.endpoint.identification.algorithm`]: "",
  // Some versions of Kafka fail without: they look for the list, which may be empty, among these settings only.
  [`${PREFIX}.cipher.suites`]: "",
};

/** Apache's REST server answers no request for a host that its certificate does not name, so its workers are called by their pods' names. */
function closedJvm(domain: string): Properties {
  return {
    [`${PREFIX}.client.auth`]: "required",
    "rest.advertised.listener": "https",
    "rest.advertised.host.name": `\${env:POD_NAME}.${domain}`,
  };
}

/** Whoever has no certificate may have a token. */
const CLOSED: Properties = {
  [`${PREFIX}.client.auth`]: "requested",
  "headrace.rest.authentication": "required",
};

/** Volumes of a worker pod. Tokens come from the users' Secrets by the kubelet: the operator never sees them. */
export function restVolumes(spec: KafkaConnectSpec, secretName: string): readonly object[] {
  const files = isJvm(spec) ? [KEYSTORE_P12, TRUSTSTORE_P12, KEYSTORE_PASSWORD] : ["keystore.pem", "ca.crt"];
  const items = files.map((key) => ({ key, path: key }));
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
  return [
    { name: CERTIFICATES, mountPath: CERTIFICATES_DIR, readOnly: true },
    ...(hasTokens(spec) ? [{ name: TOKENS, mountPath: TOKENS_DIR, readOnly: true }] : []),
  ];
}

function hasTokens(spec: KafkaConnectSpec): boolean {
  return isClosed(spec) && !isJvm(spec) && (spec.rest?.tokens ?? []).length > 0;
}
