import { DataError } from "@headrace/sdk";

/** Names that Connect's Avro data has, as Confluent's converters write them. Source: io.confluent.connect.avro.AvroData. */
export const NAMESPACE = "io.confluent.connect.avro";
export const DEFAULT_RECORD = `${NAMESPACE}.ConnectDefault`;
export const MAP_ENTRY = `${NAMESPACE}.MapEntry`;
export const UNION_NAME = `${NAMESPACE}.Union`;
export const ENUM_PARAMETER = `${NAMESPACE}.Enum`;
export const RECORD_DOC = `${NAMESPACE}.record.doc`;
export const FIELD_DOC = `${NAMESPACE}.field.doc.`;
export const ENUM_DOC = `${NAMESPACE}.enum.doc.`;
export const ENUM_DEFAULT = `${NAMESPACE}.enum.default.`;
/** Parameter of a schema whose default comes from an Avro field. */
export const FIELD_DEFAULT = `${NAMESPACE}.field.default`;
export const PRECISION = "connect.decimal.precision";
export const FIXED_SIZE = "connect.fixed.size";
/** Digits of a decimal whose schema does not say it. */
export const DEFAULT_PRECISION = 64;

/** Namespace ("" for none) and last part of a full name. */
export function splitName(name: string): { readonly namespace: string; readonly last: string } {
  const dot = name.lastIndexOf(".");
  return { namespace: dot < 0 ? "" : name.slice(0, dot), last: name.slice(dot + 1) };
}

const VALID = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A name that Avro admits: as it is, scrubbed, or DataError. Source: AvroData.scrubName (URL-encoded, the rest replaced by `_`). */
export function avroName(name: string, scrub: boolean): string {
  if (VALID.test(name)) return name;
  if (!scrub) {
    throw new DataError(
      `"${name}" is no Avro name (letters, digits and _ only, no digit first); set scrub.invalid.names=true, or rename it`,
    );
  }
  const encoded = encodeURIComponent(name).replaceAll("%20", "+");
  return (/^[A-Za-z_]/.test(encoded) ? encoded : `x${encoded}`).replaceAll(/[^A-Za-z0-9_]/g, "_");
}

/** The same for each part of a full name; unless they are scrubbed, the parts of a namespace may be anything, as in Java. */
export function avroFullName(name: string, scrub: boolean): string {
  const { namespace, last } = splitName(name);
  if (namespace === "") return avroName(last, scrub);
  const parts = namespace.split(".").map((part) => (scrub ? avroName(part, scrub) : part));
  return [...parts, avroName(last, scrub)].join(".");
}
