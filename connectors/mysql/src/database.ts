import type { Database } from "@headrace/sql";
import { type Connection, connect } from "./connection.ts";
import type { ConnectionSettings } from "./connection-keys.ts";
import { toRetriable } from "./errors.ts";
import { quote } from "./sql-text.ts";

/** MySQL and MariaDB as sinks and sources both see them. */
export const databaseOf = (settings: ConnectionSettings): Database<Connection> => ({
  connect: (signal) => connect(settings, signal),
  close: (connection) => connection.close(),
  cut: (connection) => connection.cut(),
  toRetriable,
  quote,
});
