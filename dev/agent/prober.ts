import { setTimeout as sleep } from "node:timers/promises";
import { type HandlerTarget, runHandler } from "./handler.ts";
import type { Probe } from "./pod.ts";
import { foldAnswer, type ProbeState, UNKNOWN_PROBE } from "./probe-state.ts";

/** What the probes of one run of a container have found. */
export interface ProbeListener {
  /** The startup probe passed, or there is none. */
  onStarted(): void;
  /** Readiness changed; without a readiness probe a started container is ready. */
  onReady(ready: boolean): void;
  /** The startup or liveness probe failed for good: the container is to be killed and started again. */
  onFailed(probe: "Startup" | "Liveness", definition: Probe): void;
  /** One failing answer, for the pod's events. */
  onUnhealthy(probe: "Startup" | "Liveness" | "Readiness", message: string): void;
}

/**
 * Runs a container's probes as the kubelet does: the startup probe first, then liveness and readiness; each waits for its initial delay from
 * the start of the container and then asks every period. `startedMs`: how long the container has been running already.
 * `killed` ends startup and liveness probes, `signal` all.
 */
export async function runProbes(
  target: HandlerTarget,
  options: { readonly startedMs: number; readonly alreadyStarted: boolean; readonly killed: AbortSignal },
  listener: ProbeListener,
  signal: AbortSignal,
): Promise<void> {
  const { startupProbe, livenessProbe, readinessProbe } = target.container;
  const origin = performance.now() - options.startedMs;
  const either = AbortSignal.any([signal, options.killed]);
  const run = (probe: Probe, kind: "Startup" | "Liveness" | "Readiness", onState: OnState, until: AbortSignal) =>
    ask({ target, probe, origin, onState, onUnhealthy: (message) => listener.onUnhealthy(kind, message) }, until);
  try {
    if (startupProbe !== undefined && !options.alreadyStarted) {
      const passed = await run(startupProbe, "Startup", ({ passing }) => passing === null, either);
      if (passed !== true) {
        if (passed === false) listener.onFailed("Startup", startupProbe);
        return;
      }
    }
    if (signal.aborted) return;
    listener.onStarted();
    await Promise.all([
      watchLiveness(),
      readinessProbe === undefined ? listener.onReady(true) : run(readinessProbe, "Readiness", tellReady(), signal),
    ]);
  } catch (error) {
    if (!signal.aborted && !options.killed.aborted) throw error;
  }

  async function watchLiveness(): Promise<void> {
    if (livenessProbe === undefined) return;
    const passed = await run(livenessProbe, "Liveness", ({ passing }) => passing !== false, either);
    if (passed === false) listener.onFailed("Liveness", livenessProbe);
  }

  function tellReady(): OnState {
    let told = false;
    return ({ passing }) => {
      const ready = passing === true;
      if (ready !== told) listener.onReady(ready);
      told = ready;
      return true;
    };
  }
}

/** Told of each new state; answers whether to go on asking. */
type OnState = (state: ProbeState) => boolean;

/** Asks until `onState` has enough; answers the verdict, null if `signal` came first. */
async function ask(
  options: {
    readonly target: HandlerTarget;
    readonly probe: Probe;
    readonly origin: number;
    readonly onState: OnState;
    readonly onUnhealthy: (message: string) => void;
  },
  signal: AbortSignal,
): Promise<boolean | null> {
  const { target, probe, origin, onState, onUnhealthy } = options;
  const periodMs = (probe.periodSeconds ?? 10) * 1000;
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  let state = UNKNOWN_PROBE;
  let due = origin + (probe.initialDelaySeconds ?? 0) * 1000;
  while (!signal.aborted) {
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => {});
    if (signal.aborted) return null;
    const { ok, message } = await runHandler(probe, target, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    if (signal.aborted) return null;
    if (!ok) onUnhealthy(message);
    state = foldAnswer(state, ok, probe);
    if (!onState(state)) return state.passing;
    due = Math.max(due + periodMs, performance.now());
  }
  return null;
}
