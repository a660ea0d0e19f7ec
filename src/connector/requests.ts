import { type Annotation, findAnnotation, findAnnotations } from "../annotations.ts";
import type { KafkaConnector } from "../kinds.ts";
import type { RestartScope } from "../worker/connect-client.ts";

/** Something that a user asks for once, by an annotation, as Strimzi's users do. */
export type Request = {
  /** The annotation that asks for it, to be removed when it is done. */
  readonly annotation: string;
  /** Its value. */
  readonly value: string;
  /** The value of `requested-at`, which makes a request that a GitOps tool puts back one and the same; null if there is none. */
  readonly id: string | null;
} & (
  | { readonly kind: "restart"; readonly scope: RestartScope }
  | { readonly kind: "restart-task"; readonly task: number }
  | { readonly kind: "offsets"; readonly verb: OffsetsVerb }
);

/** What can be done with a connector's offsets. */
export type OffsetsVerb = "list" | "alter" | "reset";

/** What the annotations of a connector ask for. */
export interface Requests {
  /** The first that is to be done; null if there is nothing. */
  readonly next: Request | null;
  /** Annotations that make no sense, each as a sentence. */
  readonly problems: readonly string[];
}

type Parsed = Request | { readonly problem: string } | null;

/**
 * Reads `connector-offsets` (list, alter, reset), `restart` ("true" is the connector alone; `includeTasks`, `onlyFailed`, or both
 * with a comma) and `restart-task` (the number of a task), in this order. "false", "none" and "" ask for nothing. What has been done
 * with the same `requested-at` is not asked for again.
 */
export function readRequests({ metadata, status }: KafkaConnector): Requests {
  const id = findAnnotation(metadata, "requested-at")?.value || null;
  const parsed = [
    ...findAnnotations(metadata, "connector-offsets").map((annotation) => parseOffsets(annotation, id)),
    ...findAnnotations(metadata, "restart").map((annotation) => parseRestart(annotation, id)),
    ...findAnnotations(metadata, "restart-task").map((annotation) => parseRestartTask(annotation, id)),
  ];
  const done = status?.operations ?? [];
  const requests = parsed.filter((one): one is Request => one !== null && "kind" in one);
  return {
    next: requests.find((request) => !done.some((one) => isSame(request, one))) ?? null,
    problems: parsed.flatMap((one) => (one !== null && "problem" in one ? [one.problem] : [])),
  };
}

/** The name under which `status.operations` tells how a request ended. */
export function operationOf(
  request: Request,
): "Restart" | "RestartTask" | "ListOffsets" | "AlterOffsets" | "ResetOffsets" {
  switch (request.kind) {
    case "restart":
      return "Restart";
    case "restart-task":
      return "RestartTask";
    case "offsets":
      return ({ list: "ListOffsets", alter: "AlterOffsets", reset: "ResetOffsets" } as const)[request.verb];
    default:
      throw new Error(`unreachable: ${request satisfies never}`);
  }
}

function isSame(
  request: Request,
  done: { readonly type: string; readonly request?: string | undefined; readonly requestedAt?: string | undefined },
): boolean {
  if (request.id === null || done.requestedAt !== request.id) return false;
  return done.type === operationOf(request) && done.request === request.value;
}

function parseOffsets({ name, value }: Annotation, id: string | null): Parsed {
  const verb = value.trim().toLowerCase();
  if (verb === "" || verb === "none") return null;
  const base = { annotation: name, value, id, kind: "offsets" } as const;
  if (verb === "list" || verb === "alter" || verb === "reset") return { ...base, verb };
  return { problem: `Annotation ${name} is "${shown(value)}"; it can be list, alter or reset.` };
}

function parseRestart({ name, value }: Annotation, id: string | null): Parsed {
  const words = value.split(",").map((word) => word.trim().toLowerCase());
  if (words.every((word) => word === "" || word === "false")) return null;
  const base = { annotation: name, value, id, kind: "restart" } as const;
  if (words.length === 1 && words[0] === "true") {
    return { ...base, scope: { includeTasks: false, onlyFailed: false } };
  }
  if (words.every((word) => word === "includetasks" || word === "onlyfailed")) {
    const scope = { includeTasks: words.includes("includetasks"), onlyFailed: words.includes("onlyfailed") };
    return { ...base, scope };
  }
  const allowed = "true, includeTasks, onlyFailed or includeTasks,onlyFailed";
  return { problem: `Annotation ${name} is "${shown(value)}"; it can be ${allowed}.` };
}

function parseRestartTask({ name, value }: Annotation, id: string | null): Parsed {
  if (value.trim() === "") return null;
  if (/^\d{1,9}$/.test(value.trim())) {
    return { annotation: name, value, id, kind: "restart-task", task: Number(value) };
  }
  return { problem: `Annotation ${name} is "${shown(value)}"; it must be a task's number.` };
}

function shown(value: string): string {
  return value.length > 60 ? `${value.slice(0, 60)}…` : value;
}
