import type { SelfInfo, WorkerHealth } from "@headrace/contract";
import type { ClusterEvents } from "../herder/cluster-events.ts";
import type { Commands } from "../herder/commands.ts";
import type { Fencing } from "../herder/fencing.ts";
import type { GroupQueries } from "../herder/group-queries.ts";
import type { OffsetCommands } from "../herder/offset-commands.ts";
import type { PluginQueries } from "../herder/plugin-queries.ts";
import type { RequestScope } from "../herder/request-scope.ts";
import type { SignedRequest } from "../herder/request-signature.ts";
import type { Views } from "../herder/views.ts";
import type { Loggers } from "../loggers.ts";
import type { PeerFetch } from "../peer-fetch.ts";

/** What the REST resources work with. */
export interface RestApi {
  readonly commands: Commands;
  readonly offsets: OffsetCommands;
  readonly views: Views;
  readonly plugins: PluginQueries;
  readonly events: ClusterEvents;
  readonly group: GroupQueries;
  readonly fencing: Pick<Fencing, "fence">;
  readonly server: { readonly version: string; readonly commit: string; clusterId(): string };
  readonly topicTracking: { readonly enabled: boolean; readonly resetAllowed: boolean };
  /** Resolves when the topics were read to their end and the plugins are known; rejects when a request may wait no longer. */
  started(): Promise<void>;
  /** Answers within the health check's own deadline. */
  health(): Promise<WorkerHealth>;
  self(): SelfInfo;
  /** Throws unless an internal request is signed, or the group's protocol does not ask for it. */
  verify(request: SignedRequest): void;
  openScope(): RequestScope;
  /** Log levels of this worker; those of the cluster are a command. */
  readonly loggers: Loggers;
  readonly fetch: PeerFetch;
}
