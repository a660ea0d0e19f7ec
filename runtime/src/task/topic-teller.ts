/** A topic is told again after so long, so that it comes back soon after a reset. */
const AGAIN_MS = 2_000;

/**
 * Tells of the topics that a task uses, each at once and then every now and then while it is used (KIP-558): whether that is news is up
 * to the worker, which knows of resets. `now` gives monotonic milliseconds.
 */
export function createTopicTeller(tell: (topic: string) => void, now: () => number): (topic: string) => void {
  const told = new Map<string, number>();
  return (topic) => {
    const nowMs = now();
    if (nowMs < (told.get(topic) ?? Number.NEGATIVE_INFINITY) + AGAIN_MS) return;
    told.set(topic, nowMs);
    tell(topic);
  };
}
