import type { StringMap } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { GroupMember } from "../group/group.ts";
import type { PeerFetch } from "../peer-fetch.ts";
import type { Stages } from "../stages.ts";
import type { ConfigStore } from "../store/stores.ts";
import type { Commands } from "./commands.ts";
import type { RequestScope } from "./request-scope.ts";
import { signatureHeaders } from "./request-signature.ts";
import { type StableView, stableView } from "./stable-view.ts";

export interface LeaderClientOptions {
  readonly member: () => Pick<GroupMember, "view" | "onView">;
  readonly configStore: Pick<ConfigStore, "config">;
  readonly commands: Pick<Commands, "commitTasks">;
  readonly signatureAlgorithm: string;
  readonly openScope: () => RequestScope;
  readonly fetch: PeerFetch;
  readonly stages: Pick<Stages, "during">;
}

/** Has a connector's task configurations stored: by this worker if it leads, else by a signed request to the leader (contract §5.8). */
export type CommitPlan = (connector: string, tasks: readonly StringMap[], signal: AbortSignal) => Promise<void>;

/** Creates the function; whoever calls it repeats it on failure, and then the leader is looked up anew. */
export function createCommitPlan(options: LeaderClientOptions): CommitPlan {
  return async (connector, tasks, signal) => {
    const scope = options.openScope();
    const view = await stableView(options.member(), AbortSignal.any([signal, scope.signal]));
    if (view.isLeader) {
      const outcome = await scope.run(() => options.commands.commitTasks(connector, tasks, scope));
      if (outcome.kind === "done") return;
      throw new ConnectError("conflict", "The group has got another leader");
    }
    const path = `connectors/${encodeURIComponent(connector)}/tasks`;
    const body = Buffer.from(JSON.stringify(tasks));
    await options.stages.during(`Forwarding task configurations to the leader at ${view.leaderUrl}`, () =>
      tellLeader(options, view, { method: "POST", path, body }, AbortSignal.any([signal, scope.signal])),
    );
  };
}

/**
 * Sends the leader a signed request (contract §5.8). Rejects unless it is carried out: with `internal` if the leader tried and failed, else
 * with `unavailable`.
 */
export async function tellLeader(
  options: Pick<LeaderClientOptions, "configStore" | "signatureAlgorithm" | "fetch">,
  view: StableView,
  request: { readonly method: "POST" | "PUT"; readonly path: string; readonly body: Buffer },
  signal: AbortSignal,
): Promise<void> {
  const { method, path, body } = request;
  const signed = view.protocolVersion >= 2 ? signature(options, body) : {};
  const response = await options.fetch(`${view.leaderUrl}${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      "user-agent": "kafka-connect",
      ...signed,
    },
    ...(body.length > 0 && { body }),
    signal,
  });
  const text = await response.text();
  if (response.ok) return;
  const code = response.status === 500 ? "internal" : "unavailable";
  throw new ConnectError(code, `The leader at ${view.leaderUrl} answered ${response.status}: ${text}`);
}

function signature(
  options: Pick<LeaderClientOptions, "configStore" | "signatureAlgorithm">,
  body: Buffer,
): Record<string, string> {
  const key = options.configStore.config().sessionKey;
  if (key === null) throw new ConnectError("unavailable", "There is no session key yet to sign internal requests with");
  return signatureHeaders(key, options.signatureAlgorithm, body);
}
