import { ConfigError, type Field, type Schema, type Value } from "@headrace/sdk";
import { fieldNamed, isStruct, type StructData, valueOfField } from "./event.ts";

/** A field of a change event that is added to the record as a field or a header. */
export interface FieldReference {
  /** The event's struct that has it, such as `source`; null: the event itself. */
  readonly struct: string | null;
  readonly field: string;
  /** What it is called in the record. */
  readonly name: string;
}

const OF_TRANSACTION: ReadonlySet<string> = new Set(["id", "data_collection_order", "total_order"]);
const OF_EVENT: ReadonlySet<string> = new Set(["op", "ts_ms", "ts_us", "ts_ns"]);

/** Reads `op,source.ts_ms,lsn:position`. Throws ConfigError. Source: AbstractExtractNewRecordState.FieldReference. */
export function parseReferences(items: readonly string[], prefix: string): readonly FieldReference[] {
  return items.map((item) => {
    const [path = "", alias, more] = item.split(":");
    if (more !== undefined) throw new ConfigError(`Unexpected field name: ${item}`);
    const [first = "", second] = path.split(".");
    const field = second ?? first;
    const struct = second === undefined ? structWith(field) : first;
    const name = second === undefined ? field : `${first}_${field}`;
    return { struct, field, name: `${prefix}${alias ?? name}` };
  });
}

function structWith(field: string): string | null {
  if (OF_TRANSACTION.has(field)) return "transaction";
  if (OF_EVENT.has(field)) return null;
  return field === "updateDescription" ? field : "source";
}

/** The field in an event's schema, in its struct or else in the event itself; undefined if it is in neither. */
function find(
  event: Schema,
  { struct, field }: FieldReference,
): { readonly parent: string | null; readonly found: Field } | undefined {
  const inside = struct === null ? undefined : fieldNamed(fieldNamed(event, struct)?.schema, field);
  if (inside !== undefined) return { parent: struct, found: inside };
  const outside = fieldNamed(event, field);
  return outside === undefined ? undefined : { parent: null, found: outside };
}

/** A reference that an event has. */
export interface Resolved {
  readonly name: string;
  /** Optional, and without a default. */
  readonly schema: Schema;
  read(event: StructData): Value;
}

/** Those of the references that events of a schema have. */
export function resolveReferences(event: Schema, references: readonly FieldReference[]): readonly Resolved[] {
  return references.flatMap((reference): Resolved[] => {
    const place = find(event, reference);
    if (place === undefined) return [];
    const { default: _, ...rest } = place.found.schema;
    const schema = { ...rest, optional: true };
    const { parent } = place;
    const read = ({ value }: StructData): Value => {
      if (parent === null) return valueOfField(value, reference.field);
      const inner = valueOfField(value, parent);
      return isStruct(inner) ? valueOfField(inner, reference.field) : null;
    };
    return [{ name: reference.name, schema, read }];
  });
}
