import { ConnectError, type ErrorCode } from "../errors.ts";
import type { Logger } from "../log.ts";
import { pause } from "../pause.ts";
import type { Fencing } from "./fencing.ts";
import { type LeaderClientOptions, tellLeader } from "./leader-client.ts";
import { stableView } from "./stable-view.ts";

export interface FenceClientOptions extends Omit<LeaderClientOptions, "commands" | "stages"> {
  readonly fencing: Pick<Fencing, "fence">;
  readonly log: Logger;
}

/** Has the leader fence the former tasks of a connector: this worker if it leads, else by a signed request (contract §5.8). */
export type FenceZombies = (connector: string, signal: AbortSignal) => Promise<void>;

const RETRY_MS = 250;
/** Failures that do not pass by themselves: no right to fence, a leader that tried in vain. */
const FINAL: ReadonlySet<ErrorCode> = new Set(["kafka", "kafka-access", "internal"]);

/**
 * Creates the function. It repeats what fails because leaders and task sets change, for as long as a request may take; what Kafka refuses
 * is an error at once.
 */
export function createFenceZombies(options: FenceClientOptions): FenceZombies {
  async function attempt(connector: string, signal: AbortSignal): Promise<void> {
    const view = await stableView(options.member(), signal);
    if (!view.isLeader) {
      const path = `connectors/${encodeURIComponent(connector)}/fence`;
      return tellLeader(options, view, { method: "PUT", path, body: Buffer.alloc(0) }, signal);
    }
    const scope = options.openScope();
    const outcome = await scope.run(() => options.fencing.fence(connector, scope));
    if (outcome.kind === "forward") throw new ConnectError("conflict", "The group has got another leader");
  }

  return async (connector, signal) => {
    const limited = AbortSignal.any([signal, options.openScope().signal]);
    for (;;) {
      try {
        return await attempt(connector, limited);
      } catch (error) {
        signal.throwIfAborted();
        const message = error instanceof Error ? error.message : String(error);
        if (limited.aborted || isFinal(error)) {
          throw new ConnectError(
            "unavailable",
            `Could not have the former tasks of connector ${connector} fenced, so its tasks may not start: ${message}`,
            { cause: error },
          );
        }
        options.log.info({ connector, error: message }, "fencing of former tasks failed, trying again");
      }
      await pause(RETRY_MS, limited);
    }
  };
}

function isFinal(error: unknown): boolean {
  return error instanceof ConnectError && FINAL.has(error.code);
}
