import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { createKubectl, type Kubectl } from "#dev/kubectl.ts";
import { type LocalOperator, startOperator } from "#dev/stack/operator.ts";
import { down, type Stack, up, WORKER_IMAGE } from "#dev/stack.ts";
import { selectorLabels } from "#operator/cluster-pods.ts";
import { KafkaConnectors } from "#operator/kinds.ts";
import type { KubeClient, KubeObject, ResourceType } from "#operator/kube/client.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { Events, type Pod, Pods } from "#operator/kube/resources.ts";
import { createWorkerFetch } from "#operator/worker/fetch.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { eventually } from "./eventually.ts";
import { openTestClient } from "./kube-client.ts";
import { ownGroup } from "./own-group.ts";
import { recordStatuses, type StatusRecorder } from "./status-recorder.ts";

/** Namespace of everything that is not said to be elsewhere. */
export const NAMESPACE = "default";

const DEADLINE_MS = 180_000;
const CALL_MS = 60_000;

const Conditioned = z.object({
  status: z
    .object({
      observedGeneration: z.number().optional(),
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string().optional(),
            reason: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .optional(),
    })
    .optional(),
});

/** What a worker answers. */
export interface WorkerAnswer {
  readonly status: number;
  readonly text: string;
}

/** Where to look for a condition. */
export interface ConditionPlace {
  /** `Ready` if not given. */
  readonly condition?: string;
  readonly namespace?: string;
}

/**
 * A real API server with a node, a real Kafka, and the operator with the rights that it ships with. Waiting fails after three minutes and
 * says how it was.
 */
export interface OperatedStack {
  readonly stack: Stack;
  /** For the test's own files; goes away with `stop`. */
  readonly dir: string;
  /** kubectl of an administrator. */
  readonly kubectl: Kubectl;
  /** An administrator's client. */
  readonly kube: KubeClient;
  /** Every status that the operator has written. */
  readonly statuses: StatusRecorder;
  create(type: ResourceType, object: object): Promise<void>;
  /** A merge patch. */
  patch(type: ResourceType, name: string, patch: object, namespace?: string): Promise<void>;
  annotate(type: ResourceType, name: string, annotations: Readonly<Record<string, string>>): Promise<void>;
  /** The object, which must be there. */
  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T>;
  /** Waits until something of the object is so; answers the object. */
  seen<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    what: string,
    isSo: (object: T) => boolean,
    namespace?: string,
  ): Promise<T>;
  /** Waits until a condition, told of the present generation, reads like that: `True Running: The connector and …`. */
  until<T extends KubeObject>(type: ResourceType<T>, name: string, wanted: RegExp, place?: ConditionPlace): Promise<T>;
  /** Deletes the object and waits until it is gone. */
  remove(type: ResourceType, name: string, namespace?: string): Promise<void>;
  /** Messages of the events with this reason. */
  events(reason: string): Promise<readonly string[]>;
  /** Of a cluster, by number. */
  pods(cluster: string): Promise<readonly Pod[]>;
  /** Asks one of a cluster's workers with a certificate of the operator's. */
  rest(cluster: string, method: string, path: string, body?: object): Promise<WorkerAnswer>;
  stop(): Promise<void>;
}

export interface OperatedStackOptions {
  /** In the name of its directory. */
  readonly name: string;
  /** Of the operator, beside what every stack has. */
  readonly env?: Readonly<Record<string, string>>;
  /** What has to be there before the operator starts. */
  readonly prepare?: (kubectl: Kubectl) => Promise<void>;
}

/** Starts it, with the Kafka of `HEADRACE_KAFKA_BOOTSTRAP` if there is one. */
export async function startOperatedStack({ name, env = {}, prepare }: OperatedStackOptions): Promise<OperatedStack> {
  const dir = mkdtempSync(join(tmpdir(), `headrace-${name}-`));
  const place = { dir: join(dir, "stack") };
  // The API server that files share has no node.
  delete process.env["HEADRACE_KUBECONFIG"];
  const stack = await up({ ...place, operator: false, restartBackOffMs: 500 });
  const statuses = recordStatuses(stack.adminKubeconfig);
  let operator: LocalOperator | undefined;
  const stop = async () => {
    try {
      await operator?.process.stop(20_000);
      await statuses.close();
    } finally {
      await down(place);
      rmSync(dir, { recursive: true, force: true });
    }
  };
  try {
    const { kubectlPath: binary, adminKubeconfig } = stack;
    const kubectl = createKubectl({ binary, kubeconfig: adminKubeconfig, cacheDir: join(dir, "kubectl") });
    await prepare?.(kubectl);
    operator = await startOperator({ dir: stack.dir, adminKubeconfig, kubectl, workerImage: WORKER_IMAGE, env });
    return { ...openObjects(adminKubeconfig, stop), stack, dir, kubectl, statuses };
  } catch (error) {
    await stop();
    throw error;
  }
}

function openObjects(kubeconfig: string, stop: () => Promise<void>) {
  const { client: kube, close } = openTestClient(loadConnection({ kubeconfig, env: {} }));
  const trust = createWorkerTrust(kube, Date.now);
  const call = createWorkerFetch();
  const inTime = () => AbortSignal.timeout(CALL_MS);
  const key = (name: string, namespace = NAMESPACE) => ({ namespace, name });

  async function get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T> {
    const found = await kube.get(type, key(name, namespace), inTime());
    if (found === null) throw new Error(`${type.kind} ${name} is not there`);
    return found;
  }

  async function pods(cluster: string): Promise<readonly Pod[]> {
    const labels = Object.entries(selectorLabels(cluster)).map(([label, value]) => `${label}=${value}`);
    const found = await kube.list(Pods, NAMESPACE, labels.join(","), inTime());
    return found.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  }

  async function seen<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    what: string,
    isSo: (object: T) => boolean,
    namespace?: string,
  ): Promise<T> {
    let last = "nothing";
    const look = async () => {
      const object = await get(type, name, namespace);
      last = JSON.stringify({ status: undefined, ...object }.status);
      return isSo(object) ? object : undefined;
    };
    return await eventually(`${type.kind} ${name}: ${what}`, look, DEADLINE_MS, 100).catch((error: unknown) => {
      throw new Error(`${String(error)}; its status: ${last}`, { cause: error });
    });
  }

  return {
    kube,
    get,
    pods,
    seen,
    async create(type: ResourceType, object: object): Promise<void> {
      const { metadata, ...rest } = z.looseObject({ metadata: z.looseObject({ name: z.string() }) }).parse(object);
      const apiVersion = type.group === "" ? type.version : `${type.group}/${type.version}`;
      const whole = { apiVersion, kind: type.kind, ...rest, metadata: { namespace: NAMESPACE, ...metadata } };
      await kube.create(type, whole, inTime());
    },
    async patch(type: ResourceType, name: string, patch: object, namespace?: string): Promise<void> {
      await kube.patch(type, key(name, namespace), patch, inTime());
    },
    async annotate(type: ResourceType, name: string, annotations: Readonly<Record<string, string>>): Promise<void> {
      await kube.patch(type, key(name), { metadata: { annotations } }, inTime());
    },
    until<T extends KubeObject>(
      type: ResourceType<T>,
      name: string,
      wanted: RegExp,
      { condition = "Ready", namespace }: ConditionPlace = {},
    ): Promise<T> {
      const reads = (object: T): boolean => {
        const { status } = Conditioned.parse(object);
        if (status?.observedGeneration !== object.metadata.generation) return false;
        const found = status?.conditions?.find(({ type: each }) => each === condition);
        return found !== undefined && wanted.test(`${found.status} ${found.reason}: ${found.message}`);
      };
      return seen(type, name, `${condition} is ${wanted}`, reads, namespace);
    },
    async remove(type: ResourceType, name: string, namespace?: string): Promise<void> {
      await kube.delete(type, key(name, namespace), {}, inTime());
      const look = async () => (await kube.get(type, key(name, namespace), inTime())) === null;
      await eventually(`${type.kind} ${name} is gone`, look, DEADLINE_MS);
    },
    async events(reason: string): Promise<readonly string[]> {
      const found = await kube.list(Events, NAMESPACE, null, inTime());
      return found.filter((event) => event.reason === reason).map(({ message = "" }) => message);
    },
    async rest(cluster: string, method: string, path: string, body?: object): Promise<WorkerAnswer> {
      const tls = await trust.of(key(cluster), inTime());
      const ip = await eventually(
        `a worker of ${cluster} has an address`,
        async () =>
          (await pods(cluster)).find(({ metadata }) => metadata.deletionTimestamp === undefined)?.status?.podIP,
        DEADLINE_MS,
      );
      const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
      const request = { method, headers, tls, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      try {
        const answer = await call(`https://${ip}:8083${path}`, request, inTime());
        return { status: answer.status, text: await answer.text() };
      } catch (error) {
        // A cluster that was made anew has another authority: the next time it is asked for.
        trust.forget(key(cluster));
        throw error;
      }
    },
    async stop(): Promise<void> {
      close();
      await stop();
    },
  };
}

/** A KafkaConnector of a cluster. */
export function connectorOf(cluster: string, name: string, spec: object, metadata: object = {}) {
  return {
    apiVersion: `${KafkaConnectors.group}/${KafkaConnectors.version}`,
    kind: KafkaConnectors.kind,
    metadata: { name, labels: { "headrace.dev/cluster": cluster }, ...metadata },
    spec,
  };
}

/** What every KafkaConnect of a test has: a group and topics of its name, text as values, offsets committed each second. */
export function connectSpec(name: string, bootstrapServers: string, config: object = {}) {
  return {
    replicas: 1,
    bootstrapServers,
    ...ownGroup(name),
    config: {
      "config.storage.replication.factor": 1,
      "offset.storage.replication.factor": 1,
      "status.storage.replication.factor": 1,
      "key.converter": "org.apache.kafka.connect.storage.StringConverter",
      "value.converter": "org.apache.kafka.connect.storage.StringConverter",
      "offset.flush.interval.ms": 1000,
      ...config,
    },
  };
}
