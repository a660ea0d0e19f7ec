/** What a database has of its own, as far as the suites of sinks and query sources meet it. */
export interface SqlDialect {
  /** The folder of its package below connectors/. */
  readonly package: string;
  quote(name: string): string;
  /** A column's definition: it counts by itself, and is the primary key. */
  readonly counter: string;
  /** Type of a moment on the time line. */
  readonly moment: string;
  /** What a SELECT of `seq` from 1 to a number is from. */
  series(count: number): string;
  /** Statements that make a table in parts: it has the counter `id`, and room below 10 only. */
  partitioned(table: string): string;
  readonly lock: {
    /** The statements after which nobody else reads or writes these tables, in the session that runs them, and their end. */
    begin(tables: readonly string[]): string;
    readonly end: string;
    /** Its `count`: sessions of the database that wait for the lock. */
    readonly waiting: string;
  };
  /** Its `count`: sessions of the database, the own one included. */
  readonly sessions: string;
  /** Values of `connection.url` that are refused. */
  readonly wrongUrls: readonly { readonly url: string; readonly message: RegExp }[];
}

/** A dialect's wrong values of `connection.url`, each with more that is set, as a suite of acceptance wants them. */
export const wrongUrlsOf = ({ wrongUrls }: SqlDialect, more: Readonly<Record<string, string>> = {}) =>
  wrongUrls.map(({ url, message }) => ({ change: { "connection.url": url, ...more }, key: "connection.url", message }));
