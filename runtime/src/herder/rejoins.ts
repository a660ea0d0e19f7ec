/** Changes of the config topic are gathered for so long before one rejoin is asked for all of them. */
const QUIET_MS = 20;
const MAX_MS = 200;

/** Requests for a new round; many in a row become one, after a short silence or after a while anyhow. */
export interface Rejoins {
  request(reason: string): void;
  cancel(): void;
}

/** Creates it; `rejoin` is called with the last reason. */
export function createRejoins(options: {
  readonly rejoin: (reason: string) => void;
  readonly now: () => number;
}): Rejoins {
  const { rejoin, now } = options;
  let pending: { readonly timer: NodeJS.Timeout; readonly sinceMs: number } | null = null;
  const cancel = () => {
    if (pending !== null) clearTimeout(pending.timer);
    pending = null;
  };
  return {
    request(reason) {
      const sinceMs = pending?.sinceMs ?? now();
      cancel();
      const delayMs = Math.max(0, Math.min(QUIET_MS, sinceMs + MAX_MS - now()));
      const timer = setTimeout(() => {
        pending = null;
        rejoin(reason);
      }, delayMs);
      pending = { timer, sinceMs };
    },
    cancel,
  };
}
