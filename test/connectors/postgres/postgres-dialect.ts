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
  lock: {
    begin: (tables) => `BEGIN; LOCK TABLE ${tables.join(", ")} IN ACCESS EXCLUSIVE MODE`,
    end: "ROLLBACK",
    waiting: `SELECT count(DISTINCT pid) AS count FROM pg_locks JOIN pg_database ON pg_database.oid = database
      WHERE NOT granted AND datname = current_database()`,
  },
  sessions: `SELECT count(*) AS count FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type IN ('client backend', 'walsender')`,
  wrongUrls: [
    { url: "mysql://h/d", message: /must start with postgresql/ },
    { url: "postgresql://127.0.0.1:1/x", message: /cannot connect.*ECONNREFUSED/ },
  ],
};
