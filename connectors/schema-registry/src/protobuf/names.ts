import { DataError } from "@headrace/sdk";

/** Names in Connect schemas of protobuf data, as Confluent's converter writes them. Source: io.confluent.connect.protobuf.ProtobufData. */
const NAMESPACE = "io.confluent.connect.protobuf";
export const ENUM_PARAMETER = `${NAMESPACE}.Enum`;
export const UNION_NAME = `${NAMESPACE}.Union`;
/** Parameter with a field's number. */
export const TAG = `${NAMESPACE}.Tag`;
/** Parameter with a protobuf type that is not the usual one of the Connect type. */
export const TYPE = `${NAMESPACE}.Type`;
/** Parameter of a member of a oneof that is a wrapper message. */
export const WRAPPER = `${NAMESPACE}.Wrapper`;
export const PRECISION = "connect.decimal.precision";
export const CONNECT_TYPE = "connect.type";
/** Message of a schema without a name; a number follows. */
export const DEFAULT_NAME = "ConnectDefault";

export const DECIMAL_MESSAGE = "confluent.type.Decimal";
export const DATE_MESSAGE = "google.type.Date";
export const TIME_MESSAGE = "google.type.TimeOfDay";
export const TIMESTAMP_MESSAGE = "google.protobuf.Timestamp";

const VALID = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What Confluent's scrubbing leaves alone: no underscore first. */
const CLEAN = /^[A-Za-z][A-Za-z0-9_]*$/;

/** A name that protobuf admits: as it is, scrubbed, or DataError. Source: ProtobufData.scrubName (URL-encoded, the rest replaced by `_`). */
export function protoName(name: string, scrub: boolean): string {
  if (CLEAN.test(name)) return name;
  if (!scrub) {
    if (VALID.test(name)) return name;
    throw new DataError(
      `"${name}" is no protobuf name (letters, digits and _ only, no digit first); set scrub.invalid.names=true, or rename it`,
    );
  }
  const encoded = [...Buffer.from(name)].map(urlEncoded).join("");
  return (/^[0-9_]/.test(encoded) ? `x${encoded}` : encoded).replaceAll(/[^A-Za-z0-9_]/g, "_");
}

/** A byte as java.net.URLEncoder writes it. */
function urlEncoded(byte: number): string {
  const char = String.fromCharCode(byte);
  if (/[A-Za-z0-9.*_-]/.test(char)) return char;
  return byte === 0x20 ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** The name of the message of a map's entries. Source: ProtobufSchema.toMapEntry. */
export function toMapEntry(name: string): string {
  if (!name.includes("_")) return `${name}Entry`;
  const words = name.split("_").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase());
  return `${words.join("")}Entry`;
}

/** The name of a map from that of its entries' message. Source: ProtobufSchema.toMapField. */
export function toMapName(entry: string): string {
  const dot = entry.lastIndexOf(".") + 1;
  const last = entry.slice(dot);
  if (!last.endsWith("Entry")) return entry;
  const words = last.slice(0, -"Entry".length).replaceAll(/(?<!^)[A-Z]/g, (letter) => `_${letter}`);
  return `${entry.slice(0, dot)}${words.toLowerCase()}`;
}
