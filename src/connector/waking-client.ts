import type { ObjectKey } from "../kube/client.ts";
import type { ConnectClient, Worker } from "../worker/connect-client.ts";

/** The same client, which calls `wake` after each change of a connector: news are to be expected from that cluster. */
export function wakeAfterChanges(connect: ConnectClient, wake: (cluster: ObjectKey) => void): ConnectClient {
  function waking<A extends readonly unknown[], R>(change: (worker: Worker, ...rest: A) => Promise<R>) {
    return async (worker: Worker, ...rest: A): Promise<R> => {
      try {
        return await change(worker, ...rest);
      } finally {
        wake(worker.cluster);
      }
    };
  }
  return {
    ...connect,
    create: waking(connect.create),
    putConfig: waking(connect.putConfig),
    changeState: waking(connect.changeState),
    remove: waking(connect.remove),
    restart: waking(connect.restart),
    restartTask: waking(connect.restartTask),
  };
}
