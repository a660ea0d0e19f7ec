import type { Logger } from "@headrace/sdk";
import type { GroupClient } from "../kafka/group-client.ts";
import type { Stages } from "../stages.ts";
import type { Clock } from "./clock.ts";
import type { GroupHost } from "./group.ts";
import type { PeerTransport } from "./peer-transport.ts";
import type { ConnectProtocol } from "./protocol.ts";

/** What a member is made of. */
export interface MemberOptions {
  readonly groupId: string;
  /** Advertised REST URL with a slash at the end. */
  readonly url: string;
  readonly client: GroupClient;
  readonly host: GroupHost;
  /** `connect.protocol` */
  readonly protocol: ConnectProtocol;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** `scheduled.rebalance.max.delay.ms` */
  readonly maxDelayMs: number;
  /** `rebalance.timeout.ms` */
  readonly rebalanceTimeoutMs: number;
  /** `worker.unsync.backoff.ms`: how long a worker stays away that could not read the config topic, under the eager protocol. */
  readonly unsyncBackoffMs: number;
  /** `worker.sync.timeout.ms`: how long reading the config topic to its end may take. */
  readonly syncTimeoutMs: number;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Default: plain HTTP and HTTPS by the URL. */
  readonly transport?: PeerTransport;
  /** What this worker is doing: told in the log, and by those who wait for it in vain. */
  readonly stages?: Stages;
}
