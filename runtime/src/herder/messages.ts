import type { StringMap } from "@headrace/contract";
import type { ExecutorNotice } from "../executor/channel.ts";
import type { ExecutorLost, StopEnd } from "../executor/pool.ts";
import type { Assigned } from "../group/group.ts";
import type { ClusterConfig, ConfigChange, StatusWord } from "../store/stores.ts";
import type { Work } from "./work.ts";

/** A status as an executor tells it. */
export type StatusNotice = Extract<ExecutorNotice, { kind: "status" }>;

/** Something that somebody waits for. */
export interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Everything that can happen to the herder. `config` is what the config topic said when the message was posted, so that the
 * loop never sees a configuration whose change it has not been told yet.
 */
export type Message =
  | { readonly kind: "assigned"; readonly round: Assigned; readonly config: ClusterConfig; readonly done: Waiter }
  | { readonly kind: "lost"; readonly reason: string; readonly done: Waiter }
  | { readonly kind: "configChanged"; readonly change: ConfigChange; readonly config: ClusterConfig }
  | { readonly kind: "started"; readonly work: Work }
  | { readonly kind: "startFailed"; readonly work: Work; readonly error: unknown }
  | {
      readonly kind: "stopped";
      readonly work: Work;
      readonly end: StopEnd;
      readonly wasFailed: boolean;
      readonly again: boolean;
    }
  | { readonly kind: "targetStateReached"; readonly connector: string }
  | { readonly kind: "status"; readonly notice: StatusNotice }
  | { readonly kind: "reconfigure"; readonly connector: string }
  | { readonly kind: "activeTopic"; readonly connector: string; readonly task: number; readonly topic: string }
  | { readonly kind: "executorLost"; readonly lost: ExecutorLost }
  | { readonly kind: "restart"; readonly connector: string; readonly task: number | null; readonly done: Waiter }
  | { readonly kind: "pluginsFound"; readonly isUsedBy: (connectorConfig: StringMap) => boolean }
  /** The status topic's last word about an item is another worker's. */
  | { readonly kind: "foreignWord"; readonly word: StatusWord }
  | { readonly kind: "due"; readonly connector: string }
  | { readonly kind: "stopAll"; readonly done: Waiter };
