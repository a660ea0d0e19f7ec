import { DataError } from "@headrace/sdk";
import type { AvroSchema } from "./avro-schema.ts";
import { MAP_ENTRY, NAMESPACE, splitName } from "./names.ts";

/** Whether this is the type of schemaless data. */
export function isAnything(schema: AvroSchema): boolean {
  return schema.kind === "record" && schema.name === `${NAMESPACE}.Anything`;
}

/** The one member besides null of a union; null if there are more. */
export function soleMember(members: readonly AvroSchema[]): { member: AvroSchema; optional: boolean } | null {
  const others = members.filter((member) => member.kind !== "null");
  const [member] = others;
  if (member === undefined || others.length > 1) return null;
  return { member, optional: members.length > 1 };
}

/** The name of a union's member as a field of the struct that stands for the union. */
export function unionFieldName(member: AvroSchema, enhanced: boolean): string {
  switch (member.kind) {
    case "record":
    case "enum":
    case "fixed":
      return enhanced ? member.name : splitName(member.name).last;
    default:
      return member.kind;
  }
}

/** Whether these items are the entries of a map whose keys are no strings. */
export function isMapEntry(items: AvroSchema): boolean {
  if (items.kind !== "record") return false;
  return items.name === MAP_ENTRY || items.properties["connect.internal.type"] === "MapEntry";
}

/** The types of such an entry. Throws DataError if it is not of that form. */
export function entryFields(items: AvroSchema): { readonly key: AvroSchema; readonly value: AvroSchema } {
  const [key, value, more] = items.kind === "record" ? items.fields : [];
  if (key?.name !== "key" || value?.name !== "value" || more !== undefined) {
    throw new DataError("an Avro map entry has to have the fields key and value, and no other");
  }
  return { key: key.type, value: value.type };
}
