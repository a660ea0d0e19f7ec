import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectorContext, ConnectorInstance, RawConfig } from "@headrace/sdk";
import { z } from "zod";
import { withAbort } from "../database.ts";
import type { SourceSettings } from "./settings.ts";
import type { SourceDatabase } from "./source-database.ts";
import { checkTopics, selectTables, splitTables, type TableName } from "./table-name.ts";

const TABLES = z.array(z.object({ database: z.string(), schema: z.string().nullable(), table: z.string() }));

/** The tables of one task, as its configuration has them. */
export const tablesOf = ({ tables }: SourceSettings): readonly TableName[] => TABLES.parse(JSON.parse(tables ?? "[]"));

/** The tables of each task; a query has one task. Throws ConfigError if two tables would share a topic. */
export async function planTables<C>(
  database: SourceDatabase<C>,
  plan: { readonly settings: SourceSettings; readonly maxTasks: number },
  signal: AbortSignal,
): Promise<readonly RawConfig[]> {
  const { settings, maxTasks } = plan;
  if (settings.query !== "") return [{}];
  const tables = await readTables(database, settings, signal);
  checkTopics(tables);
  return splitTables(tables, maxTasks).map((group) => ({ tables: JSON.stringify(group) }));
}

async function readTables<C>(
  database: SourceDatabase<C>,
  settings: SourceSettings,
  signal: AbortSignal,
): Promise<readonly TableName[]> {
  const open = await database.connect(signal);
  try {
    const all = await withAbort(database, open, () => database.listTables(open, settings), signal);
    return selectTables(all, settings);
  } catch (error) {
    throw database.toRetriable(error);
  } finally {
    await database.close(open);
  }
}

/** Looks for tables that appear and disappear. Its first look is over before tasks are planned, so that none is missed in between. */
export async function watchTables<C>(
  database: SourceDatabase<C>,
  watched: { readonly settings: SourceSettings; readonly context: ConnectorContext },
  opening: AbortSignal,
): Promise<ConnectorInstance> {
  const { settings, context } = watched;
  if (settings.query !== "") return { close() {} };
  const closing = new AbortController();
  const { signal } = closing;

  /** The tables as one text; null: they could not be listed. */
  async function look(until: AbortSignal): Promise<string | null> {
    try {
      return JSON.stringify(await readTables(database, settings, until));
    } catch (error) {
      if (!until.aborted) context.log.warn({ error: String(error) }, "tables could not be listed");
      return null;
    }
  }

  async function watch(first: string | null): Promise<void> {
    let known = first;
    while (!signal.aborted) {
      await sleep(settings["table.poll.interval.ms"], undefined, { signal }).catch(() => {});
      const found = signal.aborted ? null : await look(signal);
      if (found === null || found === known) continue;
      known = found;
      context.requestTaskReconfiguration();
    }
  }
  const watching = watch(await look(opening));
  return {
    async close() {
      closing.abort();
      await watching;
    },
  };
}
