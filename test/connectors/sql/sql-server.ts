import type { Outage, Stall } from "@headrace/sdk/testing";

/** A real database server of the test's own, on a free loopback port. */
export interface SqlServer {
  readonly port: number;
  /** A new, empty database, and a client of it. */
  createDatabase(): Promise<SqlDatabase>;
  stop(): Promise<void>;
}

/** What runs SQL. */
export interface SqlSession {
  /** Runs statements in a session in UTC. */
  run(statements: string): Promise<void>;
  /** The rows of one, as plain objects; dates and large numbers are text. */
  rows(statement: string): Promise<readonly SqlRow[]>;
}

export type SqlRow = Readonly<Record<string, unknown>>;

export interface SqlDatabase extends SqlSession {
  readonly name: string;
  /** `connection.url` of it; goes through a proxy that can be cut. */
  readonly url: string;
  readonly outage: Outage;
  /** That the proxy passes nothing on. */
  readonly stall: Stall;
  /** Another session, which ends with the database. */
  connect(): Promise<SqlSession>;
  close(): Promise<void>;
}
