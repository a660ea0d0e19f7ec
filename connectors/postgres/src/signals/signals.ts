import { config, type SourceTaskContext } from "@headrace/sdk";
import type { Client } from "pg";
import { listPublished, nameOf } from "../capture/database.ts";
import type { Row } from "../capture/pgoutput.ts";
import type { Settings } from "../capture/settings.ts";
import type { QueuedTable } from "../incremental/progress.ts";
import { sqlState } from "../sql-state.ts";
import { parseSignal, type Signal } from "./signal.ts";

/** What reads tables when it is asked. */
export interface Queue {
  queue(tables: readonly QueuedTable[]): void;
}

export interface SignalsOptions {
  readonly settings: Settings;
  readonly log: SourceTaskContext["log"];
  readonly incremental: Queue & { stop(patterns: readonly string[]): void; pause(paused: boolean): boolean };
  readonly blocking: Queue;
}

/** Follows what rows of the signal table ask for. */
export class Signals {
  readonly #options: SignalsOptions;

  constructor(options: SignalsOptions) {
    this.#options = options;
  }

  /** A row of the signal table. Whether something is to be read now, or not any more, that no offset knows of yet. */
  async follow([id = null, type = null, data = null]: Row, client: Client): Promise<boolean> {
    const { log, incremental, blocking } = this.#options;
    const signal = parseSignal(type ?? "", data);
    switch (signal.kind) {
      case "execute": {
        const tables = await this.#find(id, signal, client);
        if (tables === null) return false;
        const kind = signal.blocking ? "a blocking snapshot" : "an incremental snapshot";
        log.info({ signal: id, tables: tables.map(({ name }) => name) }, `${kind} was asked for`);
        (signal.blocking ? blocking : incremental).queue(tables);
        return tables.length > 0;
      }
      case "stop":
        incremental.stop(signal.patterns);
        log.info({ signal: id, tables: signal.patterns }, "the incremental snapshot was stopped");
        return true;
      case "pause":
      case "resume":
        if (!incremental.pause(signal.kind === "pause")) {
          log.warn({ signal: id, type }, "there is no incremental snapshot");
          return false;
        }
        log.info({ signal: id, type }, "incremental snapshot");
        return true;
      case "log":
        log.info({ signal: id }, signal.message);
        return false;
      case "unusable":
        log.warn({ signal: id, type, reason: signal.reason }, "a signal cannot be followed");
        return false;
      default:
        throw new Error(`unreachable: ${signal satisfies never}`);
    }
  }

  /** null: it cannot be done as it is asked for. */
  async #find(
    id: string | null,
    { patterns, conditions }: Extract<Signal, { readonly kind: "execute" }>,
    client: Client,
  ): Promise<readonly QueuedTable[] | null> {
    const { settings, log } = this.#options;
    const all = (await listPublished(client, settings)).map(nameOf);
    const matching = (pattern: string) => {
      const expression = config.fullMatch(pattern);
      return all.filter((name) => expression.test(name));
    };
    for (const pattern of patterns) {
      if (matching(pattern).length === 0) log.warn({ signal: id, table: pattern }, "no captured table has this name");
    }
    const names = new Set(patterns.flatMap(matching));
    const filters = new Map<string, string>();
    for (const { pattern, filter } of conditions) {
      const meant = matching(pattern).filter((name) => names.has(name));
      // Of what it is meant for all rows would be read.
      if (meant.length === 0 && !patterns.includes(pattern)) {
        const reason = `additional-conditions: ${pattern} is none of the tables that are to be read`;
        log.warn({ signal: id, reason }, "a signal cannot be followed");
        return null;
      }
      for (const name of meant) if (!filters.has(name)) filters.set(name, filter);
    }
    return [...names].map((name) => ({ name, filter: filters.get(name) ?? null }));
  }
}

/**
 * Whether an error is the fault of what a signal has given: data exceptions, writing in a transaction that only reads, syntax and names. Source:
 * PostgreSQL, Appendix A.
 */
export function isConditionsFault(error: unknown): boolean {
  return /^(22|25006|42)/.test(sqlState(error) ?? "");
}
