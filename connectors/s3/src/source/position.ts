import { ConfigError, type OffsetMap } from "@headrace/sdk";
import type { StoredObject } from "../store/object-store.ts";
import { placeOf } from "./lane.ts";

/** Where reading goes on in a lane: in this object, behind so many items. */
export interface Position {
  readonly key: string;
  /** Empty: whatever it is (an offset given by hand). */
  readonly etag: string;
  /** Of the object, ms since the epoch; 0: whatever it is. */
  readonly modifiedAt: number;
  readonly index: number;
  /** The object has nothing more. */
  readonly done: boolean;
}

type Named = Pick<StoredObject, "key">;

/** Which of two objects of a lane comes first: names that the sink has given by their offsets, all others by their bytes. */
export function compareObjects(a: Named, b: Named): number {
  const [first, second] = [placeOf(a.key), placeOf(b.key)];
  if (first.from !== null && second.from !== null && first.from.offset !== second.from.offset) {
    return first.from.offset < second.from.offset ? -1 : 1;
  }
  return Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
}

/** Order in which a task reads: Kafka partitions one after the other, each by its offsets; then the rest, each lane in its order. */
export function compareWork(a: Named, b: Named): number {
  const [first, second] = [placeOf(a.key), placeOf(b.key)];
  if ((first.from === null) !== (second.from === null)) return first.from === null ? 1 : -1;
  if (first.group !== second.group) return first.group < second.group ? -1 : 1;
  return compareObjects(a, b);
}

/** What is to be done with a listed object: it was read, or reading starts behind so many items. */
export type Start = { readonly kind: "read" } | { readonly kind: "from"; readonly index: number };

const READ: Start = { kind: "read" };
const FROM_START: Start = { kind: "from", index: 0 };

/**
 * An object that was replaced before it was read to its end is read from its start. Where objects go away when they are done with
 * (`consumed`), whatever is there is to be read; otherwise only what comes behind the position.
 */
export function startIn(position: Position | null, object: StoredObject, consumed: boolean): Start {
  if (position === null) return FROM_START;
  if (object.key !== position.key) return consumed || compareObjects(object, position) > 0 ? FROM_START : READ;
  // An object that goes away and comes again as it was is another one.
  const same =
    (position.etag === "" || object.etag === position.etag) &&
    (!consumed || position.modifiedAt === 0 || object.modifiedAt === position.modifiedAt);
  if (same) return position.done ? READ : { kind: "from", index: position.index };
  return position.done && !consumed ? READ : FROM_START;
}

export function toOffset({ key, etag, modifiedAt, index, done }: Position): OffsetMap {
  return { key, etag, modified: modifiedAt, position: index, done };
}

/** Reads a stored position, or one given over REST. Throws ConfigError. */
export function positionOf(offset: OffsetMap | null): Position | null {
  if (offset === null) return null;
  const { key, etag = "", modified = 0, position = 0, done = false } = offset;
  const wanted =
    'An offset is {"key":"<object>","position":<items read>}, with "etag", "modified" and "done" if need be';
  if (typeof key !== "string" || typeof etag !== "string" || typeof done !== "boolean") throw new ConfigError(wanted);
  if (typeof modified !== "number" || typeof position !== "number") throw new ConfigError(wanted);
  if (!Number.isSafeInteger(position) || position < 0)
    throw new ConfigError("position must be an integer of at least 0");
  return { key, etag, modifiedAt: modified, index: position, done };
}
