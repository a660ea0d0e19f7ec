import { ConfigError, RetriableError } from "@headrace/sdk";
import {
  type ConnectionSettings,
  connectionKeys,
  connectionUrl,
  isNetworkError,
  KEEP_ALIVE_MS,
  quoteTable as quoteParts,
  retriable,
  withAbort as withCut,
} from "@headrace/sql";
import { Client, type ClientConfig, type QueryConfig } from "pg";
import { sqlState } from "./sql-state.ts";
import { explainTls, hasFailedTls, hasNoTls, isRefusal, takeTls, wantsOtherWay, waysOf } from "./tls.ts";

/** Keys by which the database is reached. */
export const CONNECTION_KEYS = connectionKeys(
  "postgresql://host:port/database, or the same with jdbc: before it; ?sslmode=verify-full for TLS.",
);

/** What is wrong with a URL, or null. */
export function urlProblem(url: string): string | null {
  if (!/^(jdbc:)?postgres(ql)?:\/\/./.test(url)) return "URL must start with postgresql:// or jdbc:postgresql://";
  try {
    takeTls(connectionUrl({ "connection.url": url }));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Connects. Rejects with RetriableError while the database is not there. A query under way is ended when the signal aborts, with its
 * connection. With `replication` the connection takes the commands of PostgreSQL's streaming replication protocol.
 */
export async function connect(settings: ConnectionSettings, signal: AbortSignal, replication = false): Promise<Client> {
  signal.throwIfAborted();
  const url = connectionUrl(settings);
  const tls = takeTls(url);
  const sessionOptions = takeOptions(url);
  const [way = false, other] = await waysOf(tls);
  const options = {
    connectionString: url.href,
    connectionTimeoutMillis: settings["connection.timeout.ms"],
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: "headrace",
    options: sessionOptions,
    ...(replication && { replication: "database" }),
  };
  try {
    return await dial({ ...options, ssl: way }, signal).catch(async (error: unknown) => {
      if (other === undefined || signal.aborted || !wantsOtherWay(error)) throw error;
      return await dial({ ...options, ssl: other }, signal).catch((second: unknown) => {
        // Then it was not TLS that was missing, or nothing else.
        throw hasNoTls(second) || (hasFailedTls(error) && isRefusal(second)) ? error : second;
      });
    });
  } catch (error) {
    signal.throwIfAborted();
    throw toRetriable(explainTls(error, tls));
  }
}

/** The forms in which values are read and written. */
const FORMS = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601 -c bytea_output=hex -c lc_monetary=C";

/** Takes a session's options out of a URL's parameters, where they would count for more than ours, and gives them with ours, which count. */
function takeOptions({ searchParams: parameters }: URL): string {
  const given = parameters.get("options") ?? "";
  parameters.delete("options");
  return `${given} ${FORMS}`.trim();
}

async function dial(options: ClientConfig, signal: AbortSignal): Promise<Client> {
  signal.throwIfAborted();
  const client = new Client(options);
  for (const event of ["error", "end"] as const) client.on(event, () => void broken.add(client));
  const aborted = Promise.withResolvers<never>();
  const stop = () => {
    cut(client);
    aborted.reject(signal.reason);
  };
  signal.addEventListener("abort", stop, { once: true });
  // A client that was ended before it was connected never tells.
  const connected = client.connect();
  connected.catch(() => {});
  aborted.promise.catch(() => {});
  try {
    await Promise.race([connected, aborted.promise]);
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  return client;
}

/** Connections that are not there any more. */
const broken = new WeakSet<Client>();

/** `false`: the connection is known to be broken. */
export const isOpen = (client: Client): boolean => !broken.has(client);

/** Longest time for the goodbye of a connection, ms. */
const GOODBYE_MS = 1_000;

/** Ends a connection, also a broken one, or one whose other end is gone without a word; nothing is lost with it. Never rejects. */
export async function close(client: Client): Promise<void> {
  const cutting = setTimeout(() => client.connection.stream.destroy(), GOODBYE_MS);
  await client.end().catch(() => {}); // It is over all the same.
  clearTimeout(cutting);
}

/** Cuts a connection: what waits for it ends with an error. */
export const cut = (client: Client): void => void close(client);

/** Runs something on a connection; it is cut when the signal aborts, which ends what it waits for. */
export async function withAbort<T>(client: Client, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  return await withCut({ cut }, client, run, signal);
}

/** A query of which PostgreSQL takes no second statement, whatever text is put into it. */
export interface OneStatement extends QueryConfig {
  /** What @types/pg does not have. */
  readonly queryMode: "extended";
}

/** As {@link withAbort}, with several connections. */
export async function withAbortOfAll<T>(
  clients: readonly Client[],
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  const nested = clients.reduce<() => Promise<T>>((inner, client) => () => withAbort(client, signal, inner), run);
  return await nested();
}

/** Whether no connection was made because there are too many: of the server's, the database's or the role's. */
export const isFull = (error: unknown): boolean =>
  sqlState(error) === "53300" || (error instanceof Error && sqlState(error.cause) === "53300");

/** Connection lost, resources, operator's intervention, deadlock, serialisation, in use. */
const PASSING = /^(08|53|57|40001|40P01|55P03|55006|25006)/;

/** An error that may pass, as RetriableError; others as they are. What has no code of the server's is the connection. */
export function toRetriable(error: unknown): unknown {
  if (error instanceof RetriableError || error instanceof ConfigError) return error;
  const state = sqlState(error);
  const passes = state === null ? isConnectionError(error) : PASSING.test(state);
  return passes ? retriable("PostgreSQL", error) : error;
}

function isConnectionError(error: unknown): boolean {
  return isNetworkError(error) || (error instanceof Error && /[Cc]onnection|not queryable/.test(error.message));
}

/** A name as SQL writes it. */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `schema.table`, or `table`, as SQL writes it. */
export const quoteTable = (name: string): string => quoteParts({ quote }, name);

/** What sinks and sources have in common. */
export const databaseOf = (settings: ConnectionSettings) => ({
  connect: (signal: AbortSignal) => connect(settings, signal),
  isOpen,
  close,
  cut,
  toRetriable,
  quote,
});
