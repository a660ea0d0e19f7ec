import type { ConnectionSettings, Database } from "@headrace/sql";
import { type Connection, connect, PATIENCE_S } from "./connection.ts";
import { toRetriable } from "./errors.ts";
import { quote } from "./sql-text.ts";

/** MySQL and MariaDB as sinks and sources both see them. The server closes a connection after so many seconds of silence. */
export const databaseOf = (settings: ConnectionSettings, silenceS = PATIENCE_S): Database<Connection> => ({
  connect: (signal) => connect(settings, silenceS, signal),
  isOpen: (connection) => connection.isOpen(),
  close: (connection) => connection.close(),
  cut: (connection) => connection.cut(),
  toRetriable,
  quote,
});
