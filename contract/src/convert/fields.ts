import { z } from "zod";
import { isEmpty, isObject, type JsonObject } from "./manifest.ts";

/** Names of fields as a tree; `ANY` takes whatever is below. */
export interface Fields {
  readonly [name: string]: Fields | typeof ANY;
}

/** Everything below this field is taken. */
export const ANY = "any";

/** A value that a form of the resource has no field for. */
export interface Leftover {
  /** For instance `spec.template.pod.hostUsers`. */
  readonly path: string;
  readonly value: unknown;
}

export interface SplitFields {
  readonly kept: JsonObject;
  readonly leftovers: readonly Leftover[];
}

/** Parts `value` into what `fields` name and the rest. */
export function splitFields(fields: Fields, value: JsonObject, path: string): SplitFields {
  const kept: Record<string, unknown> = {};
  const leftovers: Leftover[] = [];
  for (const [name, child] of Object.entries(value)) {
    const below = fields[name];
    const place = `${path}.${name}`;
    if (below === undefined) leftovers.push({ path: place, value: child });
    else if (below === ANY || !isObject(child)) kept[name] = child;
    else {
      const part = splitFields(below, child, place);
      leftovers.push(...part.leftovers);
      if (!isEmpty(part.kept) || isEmpty(child)) kept[name] = part.kept;
    }
  }
  return { kept, leftovers };
}

/** Parts `value` into what a zod schema knows and the rest; a list's items are all of one shape. */
export function splitBySchema(schema: z.ZodType, value: JsonObject, path: string): SplitFields {
  const split = walk(jsonSchemaOf(schema), value, path);
  return { kept: isObject(split.kept) ? split.kept : {}, leftovers: split.leftovers };
}

const schemas = new WeakMap<z.ZodType, unknown>();

/** Made once for each schema: the operator converts a thousand resources at a start. */
function jsonSchemaOf(schema: z.ZodType): unknown {
  const made = schemas.get(schema) ?? z.toJSONSchema(schema, { io: "input", reused: "inline", unrepresentable: "any" });
  schemas.set(schema, made);
  return made;
}

interface Walked {
  readonly kept: unknown;
  readonly leftovers: readonly Leftover[];
}

function walk(schema: unknown, value: unknown, path: string): Walked {
  if (!isObject(schema)) return { kept: value, leftovers: [] };
  const options = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(options)) return best(options.map((option) => walk(option, value, path)));
  if (Array.isArray(value)) {
    const items = value.map((item, index) => walk(schema["items"], item, `${path}[${index}]`));
    return { kept: items.map(({ kept }) => kept), leftovers: items.flatMap(({ leftovers }) => leftovers) };
  }
  const { properties, additionalProperties } = schema;
  if (!isObject(value) || !isObject(properties)) return { kept: value, leftovers: [] };
  const open = additionalProperties === true || isObject(additionalProperties);
  const kept: Record<string, unknown> = {};
  const leftovers: Leftover[] = [];
  for (const [name, child] of Object.entries(value)) {
    const below = properties[name];
    const place = `${path}.${name}`;
    if (below === undefined && !open) {
      leftovers.push({ path: place, value: child });
      continue;
    }
    const part = walk(below ?? additionalProperties, child, place);
    leftovers.push(...part.leftovers);
    if (!(isObject(part.kept) && isEmpty(part.kept) && part.leftovers.length > 0)) kept[name] = part.kept;
  }
  return { kept, leftovers };
}

/** Of the forms that a value may have, the one that takes most of it. */
function best(walked: readonly Walked[]): Walked {
  const [first = { kept: undefined, leftovers: [] }] = walked.toSorted(
    (a, b) => a.leftovers.length - b.leftovers.length,
  );
  return first;
}

/**
 * Takes fields out of a copy of an object, one by one, so that in the end it is known what nobody has asked for.
 */
export interface FieldTaker {
  /** Takes what stands at this path, and leaves nothing there; undefined if there is nothing. */
  take(...path: readonly string[]): unknown;
  /** What was not taken; `path` begins with `prefix`. */
  leftovers(prefix: string): readonly Leftover[];
}

export function createFieldTaker(object: JsonObject): FieldTaker {
  const rest: Record<string, unknown> = structuredClone(object);

  function list(value: unknown, path: string): readonly Leftover[] {
    if (!isObject(value)) return [{ path, value }];
    return Object.entries(value).flatMap(([name, child]) => list(child, `${path}.${name}`));
  }

  return {
    take(...path) {
      const last = path.at(-1);
      let parent: Record<string, unknown> = rest;
      for (const name of path.slice(0, -1)) {
        const next = parent[name];
        if (!isObject(next)) return undefined;
        parent = next;
      }
      if (last === undefined) return undefined;
      const value = parent[last];
      delete parent[last];
      return value ?? undefined;
    },
    leftovers: (prefix) => (isEmpty(rest) ? [] : list(rest, prefix)),
  };
}
