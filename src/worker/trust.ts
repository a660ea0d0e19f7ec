import { workloadName } from "../cluster-pods.ts";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import { Secrets } from "../kube/resources.ts";
import { type Authority, fromSecretData } from "../pki/authority.ts";
import { issueCertificate, lifeOf } from "../pki/certificate.ts";
import { ConnectRestError } from "./connect-client.ts";

/** What a connection to a worker is made with: whom to trust, under which name, and the operator's own certificate. */
export interface WorkerTls {
  readonly ca: readonly string[];
  readonly cert: string;
  readonly key: string;
  readonly servername: string;
}

/** How the operator proves itself to the workers of each cluster. */
export interface WorkerTrust {
  /** The same object as long as nothing has changed. Throws ConnectRestError `unreachable` while the cluster has no authority. */
  of(cluster: ObjectKey, signal: AbortSignal): Promise<WorkerTls>;
  /** The authority of a cluster is this one from now on. */
  learn(cluster: ObjectKey, authority: Authority): void;
  /** A cluster is gone. */
  forget(cluster: ObjectKey): void;
}

/** Name of the Secret with the authority of a cluster. */
export function authoritySecretName(cluster: string): string {
  return `${workloadName(cluster)}-ca`;
}

/** The one name that all workers of a cluster have in their certificate, that of their API Service. */
export function workerServerName({ namespace, name }: ObjectKey): string {
  return `${workloadName(name)}-api.${namespace}.svc`;
}

const DAY_MS = 86_400_000;
/** The operator's own certificates live in memory only: each process makes its own. */
const CLIENT_LIFE_MS = DAY_MS;
const RENEW_BEFORE_MS = DAY_MS / 2;
/** Another process may have changed the authority. */
const REREAD_MS = 60_000;

interface Known {
  readonly readAtMs: number;
  readonly authority: Authority;
  readonly tls: Promise<WorkerTls>;
  readonly renewAtMs: number;
}

/** Creates it; authorities are read from their Secrets with `kube`. `now`: epoch ms. */
export function createWorkerTrust(kube: Pick<KubeClient, "get">, now: () => number): WorkerTrust {
  const known = new Map<string, Known>();

  function keep(cluster: ObjectKey, authority: Authority): Known {
    const key = keyOf(cluster);
    const former = known.get(key);
    const same = former !== undefined && isSame(former.authority, authority) && now() < former.renewAtMs;
    const entry: Known = {
      readAtMs: now(),
      authority,
      tls: same ? former.tls : makeTls(cluster, authority, now()),
      renewAtMs: same
        ? former.renewAtMs
        : Math.min(now() + CLIENT_LIFE_MS - RENEW_BEFORE_MS, lifeOf(authority.signing.certificate).untilMs),
    };
    entry.tls.catch(() => known.delete(key));
    known.set(key, entry);
    return entry;
  }

  async function read(cluster: ObjectKey, signal: AbortSignal): Promise<Known> {
    const key = { namespace: cluster.namespace, name: authoritySecretName(cluster.name) };
    const secret = await kube.get(Secrets, key, signal);
    const authority = fromSecretData(secret?.data);
    if (authority !== null) return keep(cluster, authority);
    known.delete(keyOf(cluster));
    throw new ConnectRestError("unreachable", `the Secret ${key.name} with the workers' authority is not there`);
  }

  return {
    async of(cluster, signal) {
      const entry = known.get(keyOf(cluster));
      if (entry !== undefined && now() - entry.readAtMs < REREAD_MS && now() < entry.renewAtMs) return await entry.tls;
      return await (await read(cluster, signal)).tls;
    },
    learn: (cluster, authority) => void keep(cluster, authority),
    forget: (cluster) => void known.delete(keyOf(cluster)),
  };
}

async function makeTls(cluster: ObjectKey, { signing, trusted }: Authority, nowMs: number): Promise<WorkerTls> {
  const subject = { commonName: "headrace-operator", names: [], usages: ["client"], validMs: CLIENT_LIFE_MS } as const;
  const { certificate, key } = await issueCertificate(signing, subject, nowMs);
  return { ca: trusted, cert: certificate, key, servername: workerServerName(cluster) };
}

function isSame(a: Authority, b: Authority): boolean {
  return a.signing.certificate === b.signing.certificate && a.trusted.join() === b.trusted.join();
}

function keyOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
