import type { SqlDialect } from "../sql/sql-dialect.ts";

export const POSTGRES: SqlDialect = {
  package: "postgres",
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  counter: "serial PRIMARY KEY",
  moment: "timestamptz",
  series: (count) => `generate_series(1, ${count}) AS s(seq)`,
  partitioned: (table) =>
    `CREATE TABLE ${table} (id ${POSTGRES.counter}) PARTITION BY RANGE (id);
     CREATE TABLE ${table}_low PARTITION OF ${table} FOR VALUES FROM (minvalue) TO (10)`,
  wrongUrls: [
    { url: "mysql://h/d", message: /must start with postgresql/ },
    { url: "postgresql://127.0.0.1:1/x", message: /cannot connect.*ECONNREFUSED/ },
  ],
};
