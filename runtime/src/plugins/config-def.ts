import type { ConfigKeyInfo, ConfigKeyType, StringMap } from "@headrace/contract";
import type { KeyMeta } from "@headrace/sdk";
import { z } from "zod";

/**
 * What a plugin's zod schema says about its keys, in the form of Java's ConfigDef. One declaration gives type, default, documentation
 * and validation.
 */

/** One key: how it is shown, and how it is checked. */
export interface KeyDefinition {
  readonly info: ConfigKeyInfo;
  readonly schema: z.ZodType;
  readonly recommended: readonly string[];
  /** Whether it is a number with bounds. */
  readonly bounded: boolean;
  /** What Java's validator says of a null; null: it takes it. */
  readonly ifNull: string | null;
  /** What messages call it; not given: `info.name`. Of keys with a prefix Java names some without it. */
  readonly called?: { readonly parsing: string; readonly checking: string; readonly missing: string };
}

/** The keys of a schema, in their order. */
export function describeKeys(config: z.ZodObject): readonly KeyDefinition[] {
  return Object.entries(config.shape).map(([name, schema]) => describeKey(name, toZodType(schema)));
}

/** Metas of a plugin's keys as they are written; unknown members are left alone. */
const META = z.looseObject({
  description: z.string().optional(),
  configType: z.enum(["BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"]).optional(),
  importance: z.enum(["HIGH", "MEDIUM", "LOW"]).optional(),
  displayName: z.string().optional(),
  group: z.string().optional(),
  order: z.int().optional(),
  width: z.enum(["NONE", "SHORT", "MEDIUM", "LONG"]).optional(),
  dependents: z.array(z.string()).optional(),
  recommended: z.array(z.string()).optional(),
  bounded: z.boolean().optional(),
  ifNull: z.string().optional(),
  required: z.boolean().optional(),
});
type Meta = KeyMeta & { readonly description?: string; readonly ifNull?: string; readonly required?: boolean };

function describeKey(name: string, schema: z.ZodType): KeyDefinition {
  const layers = unwrap(schema);
  const meta: Meta = Object.assign({}, ...layers.map(({ schema: layer }) => META.parse(layer.meta() ?? {})).reverse());
  const innermost = layers.at(-1)?.schema ?? schema;
  const fallback = layers.find((layer) => layer.fallback !== undefined)?.fallback ?? null;
  const required = meta.required ?? !layers.some((layer) => layer.admitsAbsence);
  return {
    schema,
    bounded: meta.bounded ?? false,
    ifNull: meta.ifNull ?? faultOfNull(meta, innermost),
    recommended: meta.recommended ?? (innermost instanceof z.ZodEnum ? innermost.options.map(String) : []),
    info: {
      name,
      type: meta.configType ?? inferType(innermost),
      required,
      default_value: fallback === null ? null : toConfigText(fallback),
      importance: meta.importance ?? (required ? "HIGH" : "MEDIUM"),
      documentation: meta.description ?? "",
      group: meta.group ?? null,
      width: meta.width ?? "NONE",
      display_name: meta.displayName ?? name,
      dependents: [...(meta.dependents ?? [])],
      order_in_group: meta.order ?? -1,
    },
  };
}

function faultOfNull({ bounded }: Meta, innermost: z.ZodType): string | null {
  if (bounded === true) return MUST_NOT_BE_NULL;
  return innermost instanceof z.ZodEnum ? `String must be one of: ${innermost.options.join(", ")}` : null;
}

const MUST_NOT_BE_NULL = "Value must be non-null";

interface Layer {
  readonly schema: z.ZodType;
  readonly admitsAbsence: boolean;
  readonly fallback?: unknown;
}

/** The schema and what it wraps, outermost first. */
function unwrap(schema: z.ZodType): readonly Layer[] {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    const layer = { schema, admitsAbsence: true, fallback: schema.def.defaultValue };
    return [layer, ...unwrap(toZodType(schema.def.innerType))];
  }
  if (schema instanceof z.ZodOptional)
    return [{ schema, admitsAbsence: true }, ...unwrap(toZodType(schema.def.innerType))];
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodReadonly || schema instanceof z.ZodNonOptional) {
    return [{ schema, admitsAbsence: false }, ...unwrap(toZodType(schema.def.innerType))];
  }
  return [{ schema, admitsAbsence: false }];
}

/** Decoder: zod types its inner schemas by its core's interface; all of ours are made by the classic one. */
function toZodType(schema: z.core.$ZodType): z.ZodType {
  return schema as z.ZodType;
}

function inferType(schema: z.ZodType): ConfigKeyType {
  if (schema instanceof z.ZodPipe) {
    return toZodType(schema.def.out) instanceof z.ZodBoolean ? "BOOLEAN" : inferType(toZodType(schema.def.in));
  }
  if (schema instanceof z.ZodBoolean) return "BOOLEAN";
  if (schema instanceof z.ZodArray) return "LIST";
  if (schema instanceof z.ZodNumber) return schema.isInt ? "LONG" : "DOUBLE";
  return "STRING";
}

/** A parsed value as it would stand in a configuration. */
function toConfigText(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

/**
 * What is wrong with each key, in Java's words; keys without errors are left out. `shown` stands in the messages in place of the
 * values checked, which may be resolved secrets.
 */
export function checkKeys(
  keys: readonly KeyDefinition[],
  config: StringMap,
  shown: StringMap = config,
): ReadonlyMap<string, readonly string[]> {
  const errors = new Map<string, readonly string[]>();
  for (const key of keys) {
    const { name } = key.info;
    const messages = checkKey(key, config[name], shown[name] ?? "");
    if (messages.length > 0) errors.set(name, messages);
  }
  return errors;
}

function checkKey(key: KeyDefinition, value: string | undefined, shown: string): readonly string[] {
  const { info, schema, bounded } = key;
  const result = schema.safeParse(value);
  if (result.success) return [];
  const called = key.called ?? { parsing: info.name, checking: info.name, missing: info.name };
  if (value === undefined) return [`Missing required configuration "${called.missing}" which has no default value.`];
  const secret = info.type === "PASSWORD";
  const visible = secret ? "[hidden]" : info.type === "LIST" ? toJavaList(shown) : shown.trim();
  return result.error.issues.flatMap((issue) => {
    const message = wordIssue(issue, info.type);
    if (message.startsWith("Configuration '")) return [message];
    if (!isUnparsable(message)) return [`Invalid value ${visible} for configuration ${called.checking}: ${message}`];
    // Java's parser shows the text as it came, its validators what was parsed.
    const unparsable = `Invalid value ${secret ? visible : shown} for configuration ${called.parsing}: ${message}`;
    const empty = `Invalid value null for configuration ${called.checking}: ${MUST_NOT_BE_NULL}`;
    return bounded ? [unparsable, empty] : [unparsable];
  });
}

/** What is wrong with a null in place of a value, besides its being one. */
export function checkNull({ info, ifNull, called }: KeyDefinition): readonly string[] {
  if (ifNull === null) return [];
  return ifNull.startsWith("Configuration '")
    ? [ifNull]
    : [`Invalid value null for configuration ${called?.checking ?? info.name}: ${ifNull}`];
}

/** What `ConfigDef.parseType` complains about, before any validator sees the value. */
function isUnparsable(message: string): boolean {
  return message.startsWith("Not a number of type ") || message === "Expected value to be either true or false";
}

/** The value as Java shows it once it is parsed; null if it cannot be parsed. */
export function shownValue({ info, schema }: KeyDefinition, text: string): string | null {
  const trimmed = text.trim();
  switch (info.type) {
    case "PASSWORD":
      return "[hidden]";
    case "LIST":
      return trimmed === "" ? "" : trimmed.split(/\s*,\s*/).join(",");
    case "BOOLEAN":
    case "INT":
    case "SHORT":
    case "LONG":
    case "DOUBLE": {
      const result = schema.safeParse(text);
      const unparsable = !result.success && result.error.issues.some(({ message }) => isUnparsable(message));
      return unparsable ? null : info.type === "BOOLEAN" ? trimmed.toLowerCase() : trimmed;
    }
    case "STRING":
    case "CLASS":
      return trimmed;
    default:
      throw new Error(`unreachable: ${info.type satisfies never}`);
  }
}

function toJavaList(text: string): string {
  return `[${text
    .trim()
    .split(/\s*,\s*/)
    .join(", ")}]`;
}

/** Source: org.apache.kafka.common.config.ConfigDef (parseType, Range, ValidString, NonEmptyString). */
function wordIssue(issue: z.core.$ZodIssue, type: ConfigKeyType): string {
  if (issue.code === "too_small" && issue.origin === "string" && issue.minimum === 1) return "String must be non-empty";
  if (issue.code === "too_small" && issue.origin === "number") return `Value must be at least ${issue.minimum}`;
  if (issue.code === "too_big" && issue.origin === "number") return `Value must be no more than ${issue.maximum}`;
  if (issue.code === "invalid_type" && issue.expected === "number") return `Not a number of type ${type}`;
  if (issue.code === "invalid_value") return `String must be one of: ${issue.values.join(", ")}`;
  return issue.message;
}

/** Parses a configuration, or lists everything that is wrong with it, one line per problem. */
export function parseConfig<S extends z.ZodObject>(
  schema: S,
  config: StringMap,
): { readonly value: z.output<S> } | { readonly problems: readonly string[] } {
  const result = schema.safeParse(config);
  if (result.success) return { value: result.data };
  const byKey = [...checkKeys(describeKeys(schema), config).values()].flat();
  const general = result.error.issues.filter((issue) => issue.path.length === 0).map((issue) => issue.message);
  const problems = [...byKey, ...general];
  return { problems: problems.length > 0 ? problems : result.error.issues.map(toSentence) };
}

/** What is said of a key together with others does not name it by itself. */
function toSentence({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.join(".")}: ${message}`;
}
