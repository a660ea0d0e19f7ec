import type { Field, Schema, Value } from "./schema.ts";
import { WholeDouble } from "./whole-double.ts";

/** Whether two schemas are equal in all attributes. Source: org.apache.kafka.connect.data.ConnectSchema.equals. */
export function schemasEqual(left: Schema | null | undefined, right: Schema | null | undefined): boolean {
  if (left === right) return true;
  if (left === null || left === undefined || right === null || right === undefined) return false;
  return (
    left.type === right.type &&
    left.optional === right.optional &&
    left.name === right.name &&
    left.version === right.version &&
    left.doc === right.doc &&
    valuesEqual(left.default ?? null, right.default ?? null) &&
    parametersEqual(left.parameters ?? {}, right.parameters ?? {}) &&
    schemasEqual(left.keySchema, right.keySchema) &&
    schemasEqual(left.valueSchema, right.valueSchema) &&
    fieldsEqual(left.fields ?? [], right.fields ?? [])
  );
}

function fieldsEqual(left: readonly Field[], right: readonly Field[]): boolean {
  if (left.length !== right.length) return false;
  return left.every((field, index) => {
    const other = right[index];
    return other !== undefined && field.name === other.name && schemasEqual(field.schema, other.schema);
  });
}

function parametersEqual(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}

/** Whether two values are equal, at any depth. */
export function valuesEqual(left: Value, right: Value): boolean {
  if (Object.is(left, right)) return true;
  if (left === null || right === null || typeof left !== "object" || typeof right !== "object") return false;
  if (Buffer.isBuffer(left)) return Buffer.isBuffer(right) && left.equals(right);
  if (left instanceof WholeDouble) return right instanceof WholeDouble && Object.is(left.value, right.value);
  if (left instanceof Date) return right instanceof Date && left.getTime() === right.getTime();
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => valuesEqual(item, right[index]))
    );
  }
  if (left instanceof Map || right instanceof Map) {
    if (!(left instanceof Map) || !(right instanceof Map) || left.size !== right.size) return false;
    return [...left].every(([key, item]) => right.has(key) && valuesEqual(item, right.get(key) ?? null));
  }
  const entries: [string, Value][] = Object.entries(left);
  const others = new Map<string, Value>(Object.entries(right));
  return (
    !Array.isArray(right) &&
    entries.length === others.size &&
    entries.every(([name, item]) => others.has(name) && valuesEqual(item, others.get(name) ?? null))
  );
}
