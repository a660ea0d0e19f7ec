import type { StringMap } from "@headrace/contract";
import { hideSecrets } from "../hidden-secrets.ts";

const TRACE_LENGTH = 1_024;

/**
 * The beginning of a stack trace as it may be shown in a status: without the values of settings whose names say that they are secret,
 * and without what looks like a password, token or key.
 */
export function toShownTrace(trace: string, config: StringMap): string {
  const shown = hideSecrets(trace, config);
  return shown.length <= TRACE_LENGTH ? shown : `${shown.slice(0, TRACE_LENGTH)}…`;
}
