import {
  arraySchema,
  DATE_SCHEMA,
  decimalSchema,
  type Field,
  fromDecimalText,
  mapSchema,
  optional,
  type Schema,
  structSchema,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";

/** A required type. */
export const of = (type: Schema["type"]): Schema => ({ type, optional: false });

/** Each type, required and optional, and what nests. */
const PLAIN: Readonly<Record<string, readonly [Schema, Value]>> = {
  bool: [of("BOOLEAN"), true],
  i8: [of("INT8"), -5],
  i16: [of("INT16"), -300],
  i32: [of("INT32"), 2 ** 31 - 1],
  i64: [of("INT64"), -(2n ** 63n)],
  f32: [of("FLOAT32"), 0.5],
  f64: [of("FLOAT64"), 1e300],
  text: [of("STRING"), "Grüße 🚰"],
  bytes: [of("BYTES"), Buffer.from([0, 0xff])],
  decimal: [decimalSchema(2), fromDecimalText("-12345678901234567890.12", 2)],
  date: [DATE_SCHEMA, 20_000],
  time: [TIME_SCHEMA, 86_399_999],
  timestamp: [TIMESTAMP_SCHEMA, 1_700_000_000_123n],
};
const inner = structSchema({ id: of("INT64"), note: optional(of("STRING")) }, "Inner");
const NESTED: Readonly<Record<string, readonly [Schema, readonly Value[]]>> = {
  list: [arraySchema(of("INT32")), [[1, 2], [], [3]]],
  gaps: [optional(arraySchema(optional(of("STRING")))), [["a", null], null, []]],
  lists: [arraySchema(arraySchema(of("INT64"))), [[[1n], [], [2n, 3n]], [], [[4n]]]],
  struct: [optional(inner), [{ id: 1n, note: "x" }, null, { id: 2n, note: null }]],
  structs: [
    arraySchema(inner),
    [
      [
        { id: 1n, note: null },
        { id: 2n, note: "y" },
      ],
      [],
      [{ id: 3n, note: "" }],
    ],
  ],
  map: [
    mapSchema(of("STRING"), optional(of("INT64"))),
    [
      new Map([
        ["a", 1n],
        ["b", null],
      ]),
      new Map(),
      new Map([["c", 2n]]),
    ],
  ],
  amounts: [arraySchema(decimalSchema(1)), [[fromDecimalText("0.5", 1)], [], [fromDecimalText("-1", 1)]]],
};

const schemaOf = (fields: readonly Field[]): Schema => ({ type: "STRUCT", optional: false, name: "test.Row", fields });
const ROWS = 3;
/** A column for each of them, all names of their own. */
export const SCHEMA = schemaOf([
  ...Object.entries(PLAIN).flatMap(([name, [schema]]) => [
    { name, schema },
    { name: `${name}_or_null`, schema: optional(schema) },
  ]),
  ...Object.entries(NESTED).map(([name, [schema]]) => ({ name, schema })),
]);
/** Rows of it; the second has null where null may be. */
export const VALUES: readonly { readonly [field: string]: Value }[] = Array.from({ length: ROWS }, (_, row) =>
  Object.fromEntries([
    ...Object.entries(PLAIN).flatMap(([name, [, value]]): [string, Value][] => [
      [name, value],
      [`${name}_or_null`, row === 1 ? null : value],
    ]),
    ...Object.entries(NESTED).map(([name, [, values]]): [string, Value] => [name, values[row] ?? null]),
  ]),
);
