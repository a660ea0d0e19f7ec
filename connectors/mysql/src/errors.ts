import { RetriableError } from "@headrace/sdk";
import { isNetworkError, retriable } from "@headrace/sql";

/** The number of a server's error; null for other errors. Source: MySQL and MariaDB, error references. */
export function errorNumber(error: unknown): number | null {
  if (!(error instanceof Error) || sqlState(error) === null || !("errno" in error)) return null;
  return typeof error.errno === "number" ? error.errno : null;
}

function sqlState(error: Error): string | null {
  return "sqlState" in error && typeof error.sqlState === "string" ? error.sqlState : null;
}

/**
 * What may pass: too many connections, locks or statements, out of memory or disk, shutdown, network, time-outs of locks, deadlock, interrupted,
 * read-only, offline, killed, a commit that failed, a table that was changed meanwhile.
 */
const PASSING: ReadonlySet<number> = new Set([
  1020, 1021, 1037, 1040, 1041, 1053, 1077, 1105, 1114, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1203, 1205, 1206,
  1213, 1226, 1290, 1317, 1412, 1461, 1615, 1637, 1792, 1836, 1927, 1969, 3024, 3032, 3168, 3572, 4031,
]);

/** An error that may pass, as RetriableError; others as they are. What has no code of the server's is the connection. */
export function toRetriable(error: unknown): unknown {
  if (error instanceof RetriableError || !(error instanceof Error)) return error;
  const state = sqlState(error);
  if (state === null) return isConnectionError(error) ? retriable("MySQL", error) : error;
  const passes = /^(08|40)/.test(state) || PASSING.has(errorNumber(error) ?? 0);
  return passes ? retriable("MySQL", error) : error;
}

function isConnectionError(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "";
  // The driver gives each error of the handshake this code, that of a bad certificate as well.
  const isCutHandshake = code === "HANDSHAKE_SSL_ERROR" && CUT.test(error.message);
  return isNetworkError(error) || /^PROTOCOL_/.test(code) || /closed state/.test(error.message) || isCutHandshake;
}

/** Source: Node.js, TLSSocket, and libuv's error names. */
const CUT = /disconnected before|\b(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)\b/;

/**
 * Errors of one record that no class of SQL states has: a column that is unknown, there twice, or without a default; a value or a row too large,
 * or for which there is no partition.
 */
const OF_RECORD: ReadonlySet<number> = new Set([
  1054, 1110, 1118, 1136, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1526,
]);
/** Violated checks of MySQL and MariaDB, and generated columns. */
const CHECKS: ReadonlySet<number> = new Set([1906, 3105, 3140, 3819, 4025]);

/** Whether another record might have been taken: bad data, a violated constraint, a signal of a trigger. */
export function isOfRecord(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const number = errorNumber(error) ?? 0;
  return /^(22|23|45)/.test(sqlState(error) ?? "") || OF_RECORD.has(number) || CHECKS.has(number);
}
