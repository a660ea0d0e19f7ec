import { readFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { ConfigError, RetriableError } from "@headrace/sdk";
import type { ConnectionSettings } from "@headrace/sql";
import { KEEP_ALIVE_MS } from "@headrace/sql";
import { createConnection, type Connection as Driver, type FieldPacket, type SslOptions } from "mysql2";
import { type Address, toAddress } from "./address.ts";
import { toRetriable } from "./errors.ts";

/** A value as the driver gives it: text, bytes, or a small number. */
export type Raw = string | number | Buffer | null;

/** A connection in UTC, in strict mode, with UTF-8. One thing at a time. */
export interface Connection {
  /** Longest statement that the server takes, bytes. */
  readonly maxBytes: number;
  /** Runs a statement, or several with semicolons between; the rows of the first. */
  query(sql: string): Promise<readonly (readonly Raw[])[]>;
  /** Runs a SELECT and stays at its rows. */
  open(sql: string, batch: number): Promise<OpenRows>;
  /** `false`: it is broken. */
  isOpen(): boolean;
  /** Ends the connection at once: what waits for it fails. */
  cut(): void;
  /** Says goodbye if the connection is idle. Never rejects. */
  close(): Promise<void>;
}

/** The rows of a statement under way; the server waits while they are not read. */
export interface OpenRows {
  readonly fields: readonly FieldPacket[];
  /** The next rows; fewer than a batch: these are the last. */
  read(): Promise<readonly (readonly Raw[])[]>;
}

const GOODBYE_MS = 1_000;
/** Longest time that rows may wait for Kafka to take those before them, and longest silence of a source, seconds. */
export const PATIENCE_S = 86_400;

/**
 * UTF-8 whatever the server takes its clients to speak: literals are escaped for it. The collation is one that the driver knows everywhere.
 * Zeros are kept in columns that count, values that do not fit are refused, and no engine is put in another's place.
 * Dates with zeros are up to the tables.
 */
const sessionOf = (silenceS: number): string =>
  `SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, SESSION time_zone = '+00:00', ` +
  `sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', ` +
  `autocommit = 1, net_write_timeout = ${PATIENCE_S}, wait_timeout = ${silenceS}`;

/**
 * Connects. Rejects with RetriableError while the database is not there, and as the signal says when that aborts. The server closes a
 * connection after so many seconds of silence, also one whose worker is gone.
 */
export async function connect(
  settings: ConnectionSettings,
  silenceS: number,
  signal: AbortSignal,
): Promise<Connection> {
  signal.throwIfAborted();
  const address = toAddress(settings);
  const timeoutMs = settings["connection.timeout.ms"];
  try {
    return await open(address, { timeoutMs, silenceS, tls: tlsOf(address) }, signal);
  } catch (error) {
    signal.throwIfAborted();
    const hasNoTls = error instanceof Error && "code" in error && error.code === "HANDSHAKE_NO_SSL_SUPPORT";
    if (address.tls === "preferred" && hasNoTls) return await open(address, { timeoutMs, silenceS, tls: null }, signal);
    throw toRetriable(error);
  }
}

async function open(
  address: Address,
  {
    timeoutMs,
    silenceS,
    tls,
  }: { readonly timeoutMs: number; readonly silenceS: number; readonly tls: SslOptions | null },
  signal: AbortSignal,
): Promise<Connection> {
  const { host, port, user, password, database } = address;
  // A socket of our own: the driver only half-closes its.
  const socket = connectSocket({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  const driver = createConnection({
    host,
    port,
    user,
    password,
    stream: () => socket,
    connectTimeout: timeoutMs,
    charset: "utf8mb4",
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    jsonStrings: true,
    rowsAsArray: true,
    multipleStatements: true,
    maxPreparedStatements: 1,
    flags: ["-LOCAL_FILES"],
    ...(database !== null && { database }),
    ...(tls !== null && { ssl: tls }),
  });
  const waiting = new Set<(error: unknown) => void>();
  let broken: Error | null = null;
  const fail = (error: Error) => {
    broken ??= error;
    for (const reject of [...waiting]) reject(broken);
  };
  driver.on("error", fail);
  const cut = () => {
    fail(new RetriableError("MySQL: the connection was cut"));
    driver.destroy();
    socket.destroy();
  };

  /** What the driver does; rejects when the connection breaks, which the driver does not tell all that wait. */
  function whole<T>(start: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (broken !== null) return reject(broken);
      waiting.add(reject);
      start(
        (value) => {
          waiting.delete(reject);
          resolve(value);
        },
        (error) => {
          waiting.delete(reject);
          reject(error);
        },
      );
    });
  }

  const query = (sql: string) =>
    whole<readonly (readonly Raw[])[]>((resolve, reject) => {
      driver.query({ sql, rowsAsArray: true }, (error, rows) => {
        if (error !== null) reject(error);
        else resolve(toRows(rows));
      });
    });

  signal.addEventListener("abort", cut, { once: true });
  try {
    await whole<void>((resolve, reject) => driver.connect((error) => (error === null ? resolve() : reject(error))));
    await query(sessionOf(silenceS));
    const [[maxBytes = 0] = []] = await query("SELECT @@max_allowed_packet");
    let isReading = false;
    return {
      maxBytes: Number(maxBytes),
      query,
      async open(sql, batch) {
        isReading = true;
        const rows = await openRows(driver, { sql, batch, whole });
        return {
          fields: rows.fields,
          async read() {
            const read = await rows.read();
            isReading = read.length >= batch;
            return read;
          },
        };
      },
      isOpen: () => broken === null,
      cut,
      async close() {
        if (broken === null && waiting.size === 0 && !isReading) {
          const timeout = AbortSignal.timeout(GOODBYE_MS);
          await new Promise<void>((resolve) => {
            timeout.addEventListener("abort", () => resolve(), { once: true });
            driver.end(() => resolve());
          });
        }
        cut();
      },
    };
  } catch (error) {
    cut();
    throw error;
  } finally {
    signal.removeEventListener("abort", cut);
  }
}

type Whole = <T>(start: (resolve: (value: T) => void, reject: (error: unknown) => void) => void) => Promise<T>;

/** Runs a statement in the binary protocol, which has numbers exactly, and holds the connection back while enough rows are there. */
async function openRows(
  driver: Driver,
  { sql, batch, whole }: { readonly sql: string; readonly batch: number; readonly whole: Whole },
): Promise<OpenRows> {
  const rows: (readonly Raw[])[] = [];
  let ended = false;
  let failure: unknown = null;
  let notify: () => void = () => {};
  const command = driver.execute({ sql, rowsAsArray: true });
  command.on("result", (row: readonly Raw[]) => {
    rows.push(row);
    if (rows.length <= batch) return;
    driver.pause();
    notify();
  });
  command.on("error", (error: unknown) => {
    failure = error;
    notify();
  });
  command.on("end", () => {
    ended = true;
    notify();
  });
  const until = (isDone: () => boolean) =>
    whole<void>((resolve, reject) => {
      notify = () => {
        if (failure !== null) reject(failure);
        else if (isDone()) resolve();
      };
      notify();
    });

  let fields: readonly FieldPacket[] | null = null;
  command.on("fields", (given: FieldPacket[]) => {
    fields = given;
    notify();
  });
  await until(() => fields !== null || ended);
  if (fields === null) throw new ConfigError(`the statement gives no rows: ${sql.slice(0, 200)}`);
  return {
    fields,
    async read() {
      if (!ended && rows.length <= batch) driver.resume();
      await until(() => ended || rows.length > batch);
      return rows.splice(0, batch);
    },
  };
}

/** Rows of the first statement; an answer without rows has none. */
function toRows(answer: unknown): readonly (readonly Raw[])[] {
  if (!Array.isArray(answer)) return [];
  return answer.filter((row): row is readonly Raw[] => Array.isArray(row));
}

function tlsOf({ tls, tlsFiles }: Address): SslOptions | null {
  if (tls === "disabled") return null;
  const verifies = tls === "verify-ca" || tls === "verify-identity";
  return {
    rejectUnauthorized: verifies,
    verifyIdentity: tls === "verify-identity",
    ...fileOf("ca", tlsFiles.ca),
    ...fileOf("cert", tlsFiles.cert),
    ...fileOf("key", tlsFiles.key),
  };
}

function fileOf(name: "ca" | "cert" | "key", file: string | null): Partial<Record<typeof name, string>> {
  if (file === null) return {};
  try {
    return { [name]: readFileSync(file, "utf8") };
  } catch (cause) {
    throw new ConfigError(`connection.url: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
