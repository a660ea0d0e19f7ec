import { ConnectError } from "../errors.ts";
import type { Commands, CreateConnector } from "../herder/commands.ts";
import type { RequestScope } from "../herder/request-scope.ts";
import type { StatusStore } from "../store/stores.ts";

type Statuses = Pick<StatusStore, "connector" | "onChange">;

/**
 * Commands of standalone mode: a connector counts as created once it has started; if it fails to, that is the answer, and it stays as
 * FAILED (contract §13).
 */
export function withAwaitedStart(commands: Commands, statuses: Statuses): Commands {
  return {
    ...commands,
    async createConnector(request, scope) {
      const outcome = await commands.createConnector(request, scope);
      if (outcome.kind === "done") await started(request.name, statuses, scope);
      return outcome;
    },
    async putConfig(name, config, scope) {
      const outcome = await commands.putConfig(name, config, scope);
      if (outcome.kind === "done" && outcome.value.created) await started(name, statuses, scope);
      return outcome;
    },
  };
}

/** Creates connectors one after the other. Rejects with the first failure, which names its connector. */
export async function createGiven(
  connectors: readonly CreateConnector[],
  commands: Commands,
  openScope: () => RequestScope,
): Promise<void> {
  for (const connector of connectors) {
    const scope = openScope();
    try {
      await scope.run(() => commands.createConnector(connector, scope));
    } catch (error) {
      const code = error instanceof ConnectError ? error.code : "internal";
      const why = error instanceof Error ? error.message : String(error);
      throw new ConnectError(code, `Connector ${connector.name} cannot be created: ${why}`, { cause: error });
    }
  }
}

async function started(name: string, statuses: Statuses, scope: RequestScope): Promise<void> {
  scope.enter(`starting connector ${name}`);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = () => {
    const status = statuses.connector(name);
    if (status === null || status.state === "UNASSIGNED" || status.state === "RESTARTING") return;
    if (status.state !== "FAILED") resolve();
    else {
      const [why = ""] = (status.trace ?? "").split("\n");
      reject(new ConnectError("internal", `Failed to start connector ${name}: ${why}`));
    }
  };
  const expired = () => reject(scope.signal.reason);
  scope.signal.addEventListener("abort", expired, { once: true });
  const unsubscribe = statuses.onChange(look);
  look();
  try {
    await promise;
  } finally {
    unsubscribe();
    scope.signal.removeEventListener("abort", expired);
  }
}
