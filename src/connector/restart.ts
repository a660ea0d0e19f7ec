import { API_GROUP } from "@headrace/contract";
import type { RestartScope } from "../connect-client.ts";
import type { KafkaConnector } from "../kinds.ts";

/** A restart that a user asks for by an annotation, as Strimzi's users do. */
export type RestartRequest =
  | { readonly kind: "connector"; readonly annotation: string; readonly scope: RestartScope }
  | { readonly kind: "task"; readonly annotation: string; readonly task: number }
  /** The annotation makes no sense; `message` is a sentence. */
  | { readonly kind: "unknown"; readonly annotation: string; readonly message: string };

const PREFIXES = [API_GROUP, "strimzi.io"] as const;

/**
 * The restart that the annotations ask for, or null. `restart` is "true" (the connector alone), `includeTasks`, `onlyFailed` or
 * both with a comma; "false" and "" ask for nothing. `restart-task` is the number of a task.
 */
export function restartRequest({ metadata }: KafkaConnector): RestartRequest | null {
  const { annotations = {} } = metadata;
  for (const prefix of PREFIXES) {
    const annotation = `${prefix}/restart`;
    const request = parseRestart(annotation, annotations[annotation]);
    if (request !== null) return request;
  }
  for (const prefix of PREFIXES) {
    const annotation = `${prefix}/restart-task`;
    const request = parseRestartTask(annotation, annotations[annotation]);
    if (request !== null) return request;
  }
  return null;
}

function parseRestart(annotation: string, value: string | undefined): RestartRequest | null {
  const words = (value ?? "").split(",").map((word) => word.trim());
  if (words.every((word) => word === "" || word === "false")) return null;
  if (words.length === 1 && words[0] === "true") {
    return { kind: "connector", annotation, scope: { includeTasks: false, onlyFailed: false } };
  }
  if (words.every((word) => word === "includeTasks" || word === "onlyFailed")) {
    const scope = { includeTasks: words.includes("includeTasks"), onlyFailed: words.includes("onlyFailed") };
    return { kind: "connector", annotation, scope };
  }
  const message = `Annotation ${annotation} is "${value}"; it can be true, includeTasks, onlyFailed or includeTasks,onlyFailed.`;
  return { kind: "unknown", annotation, message };
}

function parseRestartTask(annotation: string, value: string | undefined): RestartRequest | null {
  if (value === undefined || value === "") return null;
  if (/^\d{1,9}$/.test(value)) return { kind: "task", annotation, task: Number(value) };
  return {
    kind: "unknown",
    annotation,
    message: `Annotation ${annotation} is "${value}"; it must be a task's number.`,
  };
}
