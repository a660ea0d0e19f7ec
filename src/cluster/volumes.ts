import type { KafkaConnectSpec } from "@headrace/contract";

import { apiAccessMount, apiAccessVolume } from "./api-access.ts";

import { ARTIFACTS_DIR, hasArtifacts, toArtifacts } from "./artifacts.ts";

import { jmxMounts, jmxVolumes } from "./jmx-access.ts";
import { kafkaAccess, TRUST_DIR, USER_DIR } from "./kafka-access.ts";
import { PACKAGES_DIR, toPlugins } from "./plugins.ts";
import { RACK_DIR, type RackSource } from "./rack.ts";
import { restMounts, restVolumes } from "./rest-security.ts";

/** Where the worker finds its properties file. */
export const CONFIG_DIR = "/opt/headrace/config";

/** The volume with the properties. Names that begin with `headrace-` are the operator's. */
export const CONFIG_VOLUME = "headrace-config";
const TMP = "headrace-tmp";
const TRUST = "headrace-trust";
const USER = "headrace-user";
const PACKAGES = "headrace-packages";
const ARTIFACTS = "headrace-artifacts";
const RACK = "headrace-rack";
const TMP_SIZE = "64Mi";
const RACK_SIZE = "1Mi";

export interface VolumeSources {
  readonly configMapName: string;
  /** Secret with the trusted authorities. */
  readonly trustSecretName: string;
  /** Secret with the certificates of the REST API. */
  readonly restSecretName: string;
  /** Secret with user and password of JMX. */
  readonly jmxSecretName: string;
  readonly rack: RackSource;
}

/** The volumes of a worker pod: the operator's, then the users'. */
export function buildVolumes(spec: KafkaConnectSpec, sources: VolumeSources): readonly object[] {
  const { pod } = spec.template ?? {};
  const { user } = kafkaAccess(spec);
  const { images, archives } = toPlugins(spec.plugins);
  return [
    { name: CONFIG_VOLUME, configMap: { name: sources.configMapName } },
    { name: TMP, emptyDir: { sizeLimit: pod?.tmpDirSizeLimit ?? TMP_SIZE } },
    apiAccessVolume(),
    ...(trusts(spec) ? [{ name: TRUST, secret: { secretName: sources.trustSecretName } }] : []),
    ...(user === null
      ? []
      : [{ name: USER, secret: { secretName: user.secretName, items: user.keys.map((key) => ({ key, path: key })) } }]),
    ...restVolumes(spec, sources.restSecretName),
    ...jmxVolumes(spec, sources.jmxSecretName),
    ...images.map(({ volume, reference, pullPolicy }) => ({
      name: volume,
      image: { reference, ...(pullPolicy === undefined ? {} : { pullPolicy }) },
    })),
    ...(archives.length === 0 ? [] : [{ name: PACKAGES, emptyDir: {} }]),
    ...(hasArtifacts(toArtifacts(spec)) ? [{ name: ARTIFACTS, emptyDir: {} }] : []),
    ...(sources.rack.kind === "node-label" ? [{ name: RACK, emptyDir: { sizeLimit: RACK_SIZE } }] : []),
    ...(pod?.volumes ?? []),
  ];
}

/** What the worker's container sees of them. */
export function workerMounts(spec: KafkaConnectSpec, rack: RackSource): readonly object[] {
  const { user } = kafkaAccess(spec);
  const { images, archives } = toPlugins(spec.plugins);
  return [
    readOnly(CONFIG_VOLUME, CONFIG_DIR),
    { name: TMP, mountPath: "/tmp" },
    apiAccessMount(),
    ...(trusts(spec) ? [readOnly(TRUST, TRUST_DIR)] : []),
    ...(user === null ? [] : [readOnly(USER, USER_DIR)]),
    ...restMounts(spec),
    ...jmxMounts(spec),
    ...images.map(({ volume, directory }) => readOnly(volume, directory)),
    ...(archives.length === 0 ? [] : [readOnly(PACKAGES, PACKAGES_DIR)]),
    ...(hasArtifacts(toArtifacts(spec)) ? [readOnly(ARTIFACTS, ARTIFACTS_DIR)] : []),
    ...(rack.kind === "node-label" ? [readOnly(RACK, RACK_DIR)] : []),
    ...(spec.template?.connectContainer?.volumeMounts ?? []),
  ];
}

/** What the container that reads the node sees of them. */
export function rackMounts({ template }: KafkaConnectSpec): readonly object[] {
  return [
    { name: RACK, mountPath: RACK_DIR },
    { name: TMP, mountPath: "/tmp" },
    apiAccessMount(),
    ...(template?.initContainer?.volumeMounts ?? []),
  ];
}

/** What the container that fetches plugins sees of them. */
export function fetchMounts({ template }: KafkaConnectSpec): readonly object[] {
  return [
    { name: PACKAGES, mountPath: PACKAGES_DIR },
    { name: TMP, mountPath: "/tmp" },
    ...(template?.initContainer?.volumeMounts ?? []),
  ];
}

/** What the containers that fetch artifacts see of them. */
export function artifactMounts({ template }: KafkaConnectSpec): readonly object[] {
  return [
    readOnly(CONFIG_VOLUME, CONFIG_DIR),
    { name: ARTIFACTS, mountPath: ARTIFACTS_DIR },
    { name: TMP, mountPath: "/tmp" },
    ...(template?.initContainer?.volumeMounts ?? []),
  ];
}

function trusts({ tls }: KafkaConnectSpec): boolean {
  return (tls?.trustedCertificates ?? []).length > 0;
}

function readOnly(name: string, mountPath: string) {
  return { name, mountPath, readOnly: true };
}
