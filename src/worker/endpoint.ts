import { podsOf, REST_SCHEME_ANNOTATION } from "../cluster-pods.ts";
import type { Store } from "../kube/client.ts";
import type { Pod } from "../kube/resources.ts";
import { type Endpoint, plainEndpoint, secureEndpoint, type Worker } from "./connect-client.ts";
import type { WorkerTrust } from "./trust.ts";

/** How workers are reached: by their pods' addresses, in the scheme that their pod was made with. */
export function createWorkerEndpoint(
  pods: Store<Pod>,
  trust: Pick<WorkerTrust, "of">,
): (worker: Worker, signal: AbortSignal) => Promise<Endpoint> {
  return async (worker, signal) => {
    const pod = podsOf(pods, worker.cluster).find(({ status }) => status?.podIP === worker.ip);
    if (pod?.metadata.annotations?.[REST_SCHEME_ANNOTATION] !== "https") return plainEndpoint(worker);
    return secureEndpoint(worker, await trust.of(worker.cluster, signal));
  };
}
