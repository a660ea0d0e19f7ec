import { ConfigError, RetriableError } from "@headrace/sdk";

/** Silence on a connection after which the other side is asked whether it is still there, ms: one that is gone never answers a query. */
export const KEEP_ALIVE_MS = 30_000;

/** A database as sinks and sources see it. `C` is a connection of its driver. */
export interface Database<C> {
  /** Connects. Rejects with RetriableError while the database is not there, and as the signal says when that aborts. */
  connect(signal: AbortSignal): Promise<C>;
  /** `false`: it is known to be broken, as one that the database has closed for its silence. */
  isOpen(connection: C): boolean;
  /** Closes a connection, also a broken one. Never rejects. */
  close(connection: C): Promise<void>;
  /** Cuts a connection: what waits for it ends with an error, soon. Never throws. */
  cut(connection: C): void;
  /** An error that may pass, as RetriableError; others as they are. */
  toRetriable(error: unknown): unknown;
  /** A name as SQL writes it. */
  quote(name: string): string;
}

/** Runs something on a connection; it is cut when the signal aborts, which ends what it waits for. */
export async function withAbort<C, T>(
  database: Pick<Database<C>, "cut">,
  connection: C,
  run: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const stop = () => database.cut(connection);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await run();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** What is wrong with the connection's settings, by key, as a connector's `validate` tells it. */
export async function connectionProblems<C>(
  database: Database<C>,
  signal: AbortSignal,
): Promise<Readonly<Record<string, readonly string[]>>> {
  try {
    await database.close(await database.connect(signal));
    return {};
  } catch (error) {
    return { "connection.url": [`cannot connect: ${error instanceof Error ? error.message : String(error)}`] };
  }
}

/** A connection's URL with the user and the password that other keys name. Throws ConfigError for what is no URL. */
export function connectionUrl(settings: {
  readonly "connection.url": string;
  readonly "connection.user"?: string | undefined;
  readonly "connection.password"?: { reveal(): string } | undefined;
}): URL {
  const url = URL.parse(settings["connection.url"].trim().replace(/^jdbc:/, ""));
  if (url === null) throw new ConfigError("connection.url is no URL");
  const { "connection.user": user, "connection.password": password } = settings;
  if (user !== undefined) url.username = encodeURIComponent(user);
  if (password !== undefined) url.password = encodeURIComponent(password.reveal());
  return url;
}

/** Whether an error tells of the network below a connection, and not of the server. Source: libuv's error names. */
export function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return /^(ECONN|EPIPE|ENOTFOUND|EAI_|EHOST|ENET|ETIMEDOUT)/.test(String(error.code));
}

/** An error that may pass, named after the system that it came from. */
export function retriable(system: string, error: unknown): RetriableError {
  return new RetriableError(`${system}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/** `schema.table`, or `table`, as SQL writes it. */
export function quoteTable({ quote }: Pick<Database<unknown>, "quote">, name: string): string {
  return name.split(".").map(quote).join(".");
}
