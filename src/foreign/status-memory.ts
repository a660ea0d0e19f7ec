import { isDeepStrictEqual } from "node:util";
import { isObject } from "@headrace/contract";
import { type ForeignObject, STATUS_ANNOTATION } from "./dialect.ts";

/** A status in our form, as far as it can be told. */
export type SeenStatus = Readonly<Record<string, unknown>> | undefined;

/**
 * What became of the statuses that were written to resources of another group. Its schema prunes what it does not know: that the
 * rest came back means that nothing has to be written again.
 */
export interface StatusMemory {
  /** The status of an object in our form: the one that was written, if the object still has what was left of it. */
  read(object: ForeignObject): SeenStatus;
  /** Keeps that `status` was written and `stored` came back. */
  wrote(uid: string, status: Readonly<Record<string, unknown>>, stored: unknown): void;
  forget(uid: string): void;
}

interface Written {
  readonly status: Readonly<Record<string, unknown>>;
  readonly stored: unknown;
}

export function createStatusMemory(): StatusMemory {
  const written = new Map<string, Written>();
  return {
    read(object) {
      const last = written.get(object.metadata.uid ?? "");
      if (last !== undefined && isDeepStrictEqual(last.stored, object.status)) return last.status;
      const pruned = prunedPart(object);
      return object.status === undefined && pruned === undefined ? undefined : { ...object.status, ...pruned };
    },
    wrote: (uid, status, stored) => void written.set(uid, { status, stored }),
    forget: (uid) => void written.delete(uid),
  };
}

/** The part of `status` that did not come back in `stored`, by its top-level fields; conditions are never part of it. */
export function missingPart(
  status: Readonly<Record<string, unknown>>,
  stored: unknown,
): Readonly<Record<string, unknown>> {
  const kept: Readonly<Record<string, unknown>> = isObject(stored) ? stored : {};
  return Object.fromEntries(
    Object.entries(status).filter(
      ([name, value]) => name !== "conditions" && !isDeepStrictEqual(toJson(value), kept[name]),
    ),
  );
}

/** What the annotation keeps of a status; an operator that has just started reads it. Undefined if it is none of ours. */
export function prunedPart({ metadata }: ForeignObject): Readonly<Record<string, unknown>> | undefined {
  const text = metadata.annotations?.[STATUS_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    // Somebody else wrote it. The next status replaces it.
    return undefined;
  }
}

function toJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
