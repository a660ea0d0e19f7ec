import type { Difference } from "./compare.ts";

type Candidate = Omit<Difference, "intended">;

/** One intended difference: the reason, as docs/compatibility.md explains it, and how to recognise it. */
interface Intended {
  readonly reason: string;
  matches(difference: Candidate, text: { readonly java: string; readonly ours: string }): boolean;
}

const named = (difference: Candidate, name: string) => difference.case.class.includes(name);

/** What Java makes of integers of more than 64 bits. */
const wrapIntegers = (text: string) =>
  text.replace(/-?\d{19,}/g, (digits) => String(BigInt.asIntN(64, BigInt(digits))));

/** The message of a data error; empty if it is none. */
const messageOf = (text: string) => /^\{"error":"data","message":"(.*)"\}$/s.exec(text)?.[1] ?? "";

const withoutRowName = (text: string) => text.replaceAll(/server\.public\.t\.\w+\.Value/g, "");

const INTENDED: readonly Intended[] = [
  {
    reason: "the struct around an outbox payload is named after its own topic, not after the first one that was seen",
    matches: (difference, texts) =>
      named(difference, "EventRouter") && withoutRowName(texts.java) === withoutRowName(texts.ours),
  },
  {
    reason: "of several faults of an outbox row another one is named",
    matches: (difference, { java, ours }) =>
      named(difference, "EventRouter") &&
      [java, ours].every((text) =>
        /^.{0,30}(?:is not of type|is not a valid field name|Unable to find)/s.test(messageOf(text)),
      ),
  },
  {
    reason: "a deletion that becomes a tombstone may have fields dropped from its key",
    matches: (difference, { java }) =>
      named(difference, "ExtractNewRecordState") && java.includes('Schema.fields()\\" because \\"schema\\" is null'),
  },
  {
    reason: "messages do not show the record",
    matches: (difference, { java, ours }) =>
      named(difference, "TimestampRouter") &&
      [java, ours].every((text) => text.includes("Timestamp missing on record")),
  },
  {
    reason: "SetSchemaMetadata takes schemas of all types",
    matches: (difference, { java }) =>
      named(difference, "SetSchemaMetadata") && java.includes("Cannot list fields on non-struct type"),
  },
  {
    reason: "schemaless numbers have one form for all widths",
    matches: (difference, { java }) =>
      /\.(?:Short|Integer|Float)Converter$/.test(difference.case.class) &&
      /Failed to serialize to \w+ \(was class java\.lang\.(?:Long|Double)\)/.test(java),
  },
  {
    reason: "bytes within text are read as UTF-8, not shown as an object's address",
    matches: (difference) => {
      const text = typeof difference.java === "string" ? Buffer.from(difference.java, "base64").toString() : "";
      return named(difference, "StringConverter") && /\[B@[0-9a-f]+/.test(text);
    },
  },
  {
    reason: "of two entries that flatten to one name the later one wins: schemaless maps have an order",
    matches: (difference, { java, ours }) => named(difference, "Flatten") && namesOf(java) === namesOf(ours),
  },
  {
    reason: "a Decimal schema without a scale is refused, but elsewhere or with another message",
    matches: (_, { java, ours }) => java.includes('"error":') && ours.includes("scale parameter not found"),
  },
  {
    reason: "a map without entries or without a common type of its values can be written as JSON",
    matches: (_, { java }) => java.includes('Schema.keySchema()\\" is null'),
  },
  {
    reason: "a masked decimal keeps the scale of its schema",
    matches: (difference, { java }) =>
      named(difference, "MaskField") && java.includes("Decimal value has mismatching scale for given Decimal schema"),
  },
  {
    reason: "a date cast as a whole to its base type can be written",
    matches: (difference, { java }) =>
      named(difference, "Cast$") && /expected Date but was class java.lang.(?:Integer|Long)/.test(java),
  },
  {
    reason: "decimals read from JSON numbers get the scale of their schema",
    matches: (difference, { java }) =>
      named(difference, "JsonConverter") && java.includes("Decimal value has mismatching scale"),
  },
  {
    reason: "1.0 in JSON is an integer for dates and times",
    matches: (difference, { java }) =>
      named(difference, "JsonConverter") &&
      /underlying representation should be integ(?:er|ral) but was NUMBER/.test(java),
  },
  {
    reason: "text behind a JSON value is refused",
    matches: (difference, { ours }) =>
      named(difference, "JsonConverter") && ours.includes("due to serialization error"),
  },
  {
    reason: "timestamps beyond the year 275760 are refused",
    matches: (_, { ours }) => ours.includes("lies beyond the year 275760"),
  },
  {
    reason: "integers beyond 64 bits in schemaless JSON stay what they are",
    matches: (difference, { java, ours }) => named(difference, "JsonConverter") && java === wrapIntegers(ours),
  },
  {
    reason: "of several faults another one is named: schemaless maps have an order",
    matches: (_, { java, ours }) =>
      [java, ours].every((text) => text.startsWith('{"error":"data"')) &&
      /casting from|out of range|in Cast transformation|as timestamps|mask|to a number/.test(java),
  },
  {
    reason: "floating-point numbers have the shortest digits that tell them apart, as from Java 19 on",
    matches: (_, { java, ours }) => roundFloats(java) === roundFloats(ours),
  },
];

/** The names of a text's members, in its order. */
const namesOf = (text: string) => (text.match(/\\"[^"\\]*\\":/g) ?? []).join("");

/** Numbers by their value, whatever digits show them. */
function roundFloats(text: string): string {
  return text.replace(/-?\d+\.\d+(?:E-?\d+)?/g, (number) => String(Math.fround(Number(number))));
}

/** Why a difference is meant; null if it is not. docs/compatibility.md explains each to users. */
export function intendedReason(difference: Candidate): string | null {
  const text = { java: JSON.stringify(difference.java), ours: JSON.stringify(difference.ours) };
  return INTENDED.find((each) => each.matches(difference, text))?.reason ?? null;
}
