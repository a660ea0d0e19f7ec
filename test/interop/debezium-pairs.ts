/** A configuration under which both connectors read the same changes. */
export interface Pair {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  /** What both have to write: topics behind prefix and delimiter. */
  readonly topics: readonly string[];
}

const tables = (...names: readonly string[]) => names.map((name) => `public.${name}`);
const ALL = tables("types", "bare", "whole", "large", "people", "keyed");

/** Together they have the settings that change what comes, with values that matter. */
export const PAIRS: readonly Pair[] = [
  {
    name: "defaults",
    config: {
      "provide.transaction.metadata": "true",
      "skipped.operations": "none",
      "skip.messages.without.change": "true",
      "message.key.columns": "public.keyed:region,id",
      "message.prefix.include.list": "ap.",
      "column.mask.with.3.chars": "public.people.pin",
      "column.truncate.to.6.chars": "public[.]people[.]note",
      "column.mask.hash.SHA-256.with.salt.CzQMA0cB5K": "public.people.name",
      "column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K": "public.people.code",
    },
    topics: [...ALL, "transaction", "message"],
  },
  {
    name: "texts",
    config: {
      "decimal.handling.mode": "string",
      "time.precision.mode": "connect",
      "interval.handling.mode": "string",
      "binary.handling.mode": "hex",
      "hstore.handling.mode": "map",
      "tombstones.on.delete": "false",
      "unavailable.value.placeholder": "gone",
    },
    topics: [...ALL, "message"],
  },
  {
    name: "numbers",
    config: {
      "decimal.handling.mode": "double",
      "time.precision.mode": "adaptive_time_microseconds",
      "interval.handling.mode": "numeric",
      "binary.handling.mode": "base64",
      "hstore.handling.mode": "json",
      "unavailable.value.placeholder": "hex:676f6e65",
      "snapshot.mode": "always",
    },
    topics: [...ALL, "message"],
  },
  {
    name: "only_changes",
    config: {
      "snapshot.mode": "no_data",
      "binary.handling.mode": "base64-url-safe",
      "skipped.operations": "u,t",
      "topic.delimiter": "_",
      "provide.transaction.metadata": "true",
      "topic.transaction": "tx",
    },
    topics: [
      "public_types",
      "public_bare",
      "public_whole",
      "public_large",
      "public_people",
      "public_keyed",
      "tx",
      "message",
    ],
  },
  {
    name: "some_columns",
    config: {
      "snapshot.mode": "when_needed",
      "schema.refresh.mode": "columns_diff_exclude_unchanged_toast",
      "table.include.list": "public[.](types|bare|large|keyed)",
      "column.include.list": "public[.](types[.](id|t|n|ts)|large[.](id|big|n)|bare[.].*|keyed[.].*)",
      "message.key.columns": "public[.]types:id,t;public[.]keyed:region",
      "message.prefix.exclude.list": "app",
    },
    topics: [...tables("types", "bare", "large", "keyed"), "message"],
  },
  {
    name: "without_columns",
    config: {
      "schema.include.list": "public",
      "table.exclude.list": "public[.]whole",
      "column.exclude.list": "public[.]types[.](j|jb|x|hs|mo|rz),public[.]people[.](name|pin)",
      "column.mask.with.0.chars": "public[.]people[.]code",
      "skip.messages.without.change": "true",
      "provide.transaction.metadata": "true",
      "skipped.operations": "d",
      "snapshot.select.statement.overrides": "public.bare",
      "snapshot.select.statement.overrides.public.bare": "SELECT a, upper(b) AS b FROM public.bare",
    },
    topics: [...tables("types", "bare", "large", "people", "keyed"), "transaction", "message"],
  },
  {
    name: "only_rows",
    config: {
      "snapshot.mode": "initial_only",
      "snapshot.include.collection.list": "public[.](types|people)",
      "decimal.handling.mode": "string",
    },
    topics: tables("types", "people"),
  },
];
