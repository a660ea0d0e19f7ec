import type { StringMap, TargetState } from "@headrace/contract";
import type { LiveCluster } from "./observe.ts";
import { isSameConfig } from "./wanted.ts";

/**
 * What the event stream will tell once the last request has taken effect. Until then nothing more is asked for, since the same
 * request again would restart the connector again.
 */
export type Echo = { readonly clusterUid: string; readonly untilMs: number } & (
  | { readonly of: "create" | "update"; readonly config: StringMap }
  | { readonly of: "change-state"; readonly target: TargetState }
  | { readonly of: "remove" }
);

/** True while `cluster` does not tell yet what `echo` promises. */
export function isAwaited(echo: Echo, { uid, actual }: LiveCluster, nowMs: number): boolean {
  if (echo.clusterUid !== uid || nowMs >= echo.untilMs) return false;
  switch (echo.of) {
    case "create":
    case "update":
      return actual === null || !isSameConfig(actual.config, echo.config);
    case "change-state":
      return actual !== null && actual.targetState !== echo.target;
    case "remove":
      return actual !== null;
    default:
      throw new Error(`unreachable: ${echo satisfies never}`);
  }
}
