import type { Value } from "@headrace/sdk";

/** The scalar types of protobuf, in its own names. */
export const SCALARS = [
  "double",
  "float",
  "int32",
  "int64",
  "uint32",
  "uint64",
  "sint32",
  "sint64",
  "fixed32",
  "fixed64",
  "sfixed32",
  "sfixed64",
  "bool",
  "string",
  "bytes",
] as const;
export type Scalar = (typeof SCALARS)[number];

export function isScalar(name: string): name is Scalar {
  return SCALARS.some((each) => each === name);
}

export interface ProtoEnum {
  readonly fullName: string;
  /** Numbers by name, in their order; of names with the same number the first one counts. */
  readonly values: ReadonlyMap<string, number>;
  /** Numbers that it does not name are unknown fields (proto2); otherwise they are values. */
  readonly closed: boolean;
}

export type ProtoType =
  | { readonly kind: "scalar"; readonly scalar: Scalar }
  | { readonly kind: "enum"; readonly enum: ProtoEnum }
  | { readonly kind: "message"; readonly message: ProtoMessage };

/**
 * How often a field is there. `implicit`: a zero is not written, and nothing is zero; `optional` says so itself; `legacy`: optional in
 * proto2; `member`: of a oneof; `entry`: key or value of a map, always written, and nothing is zero or an empty message.
 */
export type Presence = "implicit" | "optional" | "legacy" | "required" | "repeated" | "member" | "entry";

export interface ProtoField {
  readonly name: string;
  readonly number: number;
  readonly type: ProtoType;
  readonly presence: Presence;
  /** The oneof that it is a member of. */
  readonly oneof: string | null;
  /** Of repeated numbers: written as one block. */
  readonly packed: boolean;
  /** What a field that is not there stands for; null: the type's own zero. */
  readonly fallback: Value;
  /** `(confluent.field_meta).params` */
  readonly params: Readonly<Record<string, string>>;
}

export interface ProtoMessage {
  readonly fullName: string;
  /** Filled once the whole schema is known: a message may hold itself. */
  readonly fields: readonly ProtoField[];
  readonly oneofs: readonly string[];
  readonly messages: readonly ProtoMessage[];
  readonly enums: readonly ProtoEnum[];
  /** Why the message cannot be used, others of its file notwithstanding; null: it can. */
  readonly fault: string | null;
}

/** One .proto file. */
export interface ProtoFile {
  /** Empty: none. */
  readonly package: string;
  readonly imports: readonly string[];
  readonly messages: readonly ProtoMessage[];
}

/** The last part of a full name. */
export function simpleName({ fullName }: { readonly fullName: string }): string {
  return fullName.slice(fullName.lastIndexOf(".") + 1);
}

/** Key and value of a map's entries; null for a field that is no map. Source: ProtobufData.isMapDescriptor. */
export function mapEntryOf(field: ProtoField): { readonly key: ProtoField; readonly value: ProtoField } | null {
  if (field.presence !== "repeated" || field.type.kind !== "message") return null;
  const { message } = field.type;
  const [key, value, more] = message.fields;
  if (key?.name !== "key" || value?.name !== "value" || more !== undefined) return null;
  const single = key.presence !== "repeated" && value.presence !== "repeated";
  return single && message.fullName.endsWith("Entry") ? { key, value } : null;
}

/** The message that a path of indexes leads to, as the wire format names it. */
export function messageAt(file: ProtoFile, indexes: readonly number[]): ProtoMessage | null {
  let messages = file.messages;
  let found: ProtoMessage | null = null;
  for (const index of indexes) {
    found = messages[index] ?? null;
    if (found === null) return null;
    messages = found.messages;
  }
  return found;
}

/** A message by its full name, with the path to it. */
export interface Located {
  readonly message: ProtoMessage;
  readonly indexes: readonly number[];
}

export function messageNamed(messages: readonly ProtoMessage[], fullName: string): Located | null {
  for (const [index, message] of messages.entries()) {
    if (message.fullName === fullName) return { message, indexes: [index] };
    const inside = messageNamed(message.messages, fullName);
    if (inside !== null) return { message: inside.message, indexes: [index, ...inside.indexes] };
  }
  return null;
}
