import { isObject, type JsonObject } from "@headrace/contract";
import { Environment } from "@marcbachmann/cel-js";
import { z } from "zod";

/** Something that is wrong with a resource. */
export interface Finding {
  /** For instance `spec.config.topic`. */
  readonly path: string;
  readonly message: string;
}

interface Rule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath: string;
}

const RULES = "x-kubernetes-validations";
const environment = new Environment({ unlistedVariablesAreDyn: true });

/** The rules in CEL of a zod schema, wherever they stand in it, on a value that has the schema's shape. */
export function checkRules(schema: z.ZodType, value: unknown, path: string): readonly Finding[] {
  return walk(z.toJSONSchema(schema, { io: "input", reused: "inline", unrepresentable: "any" }), value, path);
}

/** All rules of a schema, for tests. */
export function rulesIn(schema: z.ZodType): readonly string[] {
  return collect(z.toJSONSchema(schema, { io: "input", reused: "inline", unrepresentable: "any" }));
}

/** Whether a rule is about a change; those hold between two versions of a resource. */
export function isTransition(rule: string): boolean {
  return /\boldSelf\b/.test(rule);
}

/** Evaluates one rule as the API server would, with what stands in a file. Throws if it cannot be evaluated. */
export function evaluateRule(rule: string, self: unknown): boolean {
  return environment.evaluate(rule, { self: toCel(self) }) === true;
}

function walk(schema: unknown, value: unknown, path: string): readonly Finding[] {
  if (!isObject(schema) || value === undefined || value === null) return [];
  const own = rulesOf(schema).filter(({ rule, fieldPath: _ }) => !isTransition(rule) && !evaluateRule(rule, value));
  const findings = own.map(({ message, fieldPath }) => ({ path: path + fieldPath, message }));
  return [...findings, ...walkBelow(schema, value, path)];
}

function walkBelow(schema: JsonObject, value: unknown, path: string): readonly Finding[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => walk(schema["items"], item, `${path}[${index}]`));
  if (!isObject(value)) return [];
  const { properties, additionalProperties } = schema;
  return Object.entries(value).flatMap(([name, child]) => {
    const below = isObject(properties) ? properties[name] : undefined;
    return walk(below ?? additionalProperties, child, `${path}.${name}`);
  });
}

function collect(schema: unknown): readonly string[] {
  if (Array.isArray(schema)) return schema.flatMap(collect);
  if (!isObject(schema)) return [];
  const below = Object.entries(schema).flatMap(([name, child]) => (name === RULES ? [] : collect(child)));
  return [...rulesOf(schema).map(({ rule }) => rule), ...below];
}

function rulesOf(schema: JsonObject): readonly Rule[] {
  const list = schema[RULES];
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).map(({ rule, message, fieldPath }) => ({
    rule: String(rule),
    message: typeof message === "string" ? message : `the rule ${String(rule)} does not hold`,
    fieldPath: typeof fieldPath === "string" ? fieldPath : "",
  }));
}

/** Whole numbers are CEL's int. */
function toCel(value: unknown): unknown {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(toCel);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, toCel(child)]));
}
