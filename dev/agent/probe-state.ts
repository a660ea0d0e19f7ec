import type { Probe } from "./pod.ts";

/** What a probe says by now, and how many times in a row it was answered the same. */
export interface ProbeState {
  readonly passing: boolean | null;
  readonly streak: { readonly ok: boolean; readonly length: number };
}

/** Before the first answer nothing is known; a readiness probe counts as failing then, a liveness probe as passing. */
export const UNKNOWN_PROBE: ProbeState = { passing: null, streak: { ok: false, length: 0 } };

/** Folds one answer in: the verdict changes after `successThreshold` or `failureThreshold` answers in a row (kubelet, prober/worker.go). */
export function foldAnswer(state: ProbeState, ok: boolean, probe: Probe): ProbeState {
  const length = state.streak.ok === ok ? state.streak.length + 1 : 1;
  const needed = ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return { passing: length >= needed ? ok : state.passing, streak: { ok, length } };
}
