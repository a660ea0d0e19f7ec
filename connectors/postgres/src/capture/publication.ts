import { ConfigError } from "@headrace/sdk";
import type { Client } from "pg";
import { quote, toRetriable } from "../connection.ts";
import { listPublished, listTables } from "./database.ts";
import { isFollowed } from "./filter.ts";
import type { Settings } from "./settings.ts";

/** Creates the publication, or brings it up to date, as the settings say. */
export async function ensurePublication(client: Client, settings: Settings): Promise<void> {
  const name = settings["publication.name"];
  const mode = settings["publication.autocreate.mode"];
  const { rows } = await client.query<{ all: boolean }>(
    `SELECT puballtables AS "all" FROM pg_publication WHERE pubname = $1`,
    [name],
  );
  const [found] = rows;
  if (found === undefined && mode === "disabled")
    throw new ConfigError(`publication ${name} does not exist, and publication.autocreate.mode is disabled`);
  if (found !== undefined && (mode !== "filtered" || found.all)) return;
  const viaRoot = settings["publish.via.partition.root"];
  const all = mode === "filtered" ? await listTables(client, viaRoot) : [];
  const tables = all.filter(({ schema, table }) => isFollowed(settings, schema, table));
  const list = tables.map(({ schema, table }) => `${quote(schema)}.${quote(table)}`).join(", ");
  if (mode === "filtered" && tables.length === 0) throw new ConfigError("no table is captured: see table.include.list");
  const root = `WITH (publish_via_partition_root = ${viaRoot})`;
  const target = { all_tables: "FOR ALL TABLES ", filtered: `FOR TABLE ${list} `, no_tables: "", disabled: "" }[mode];
  try {
    if (found === undefined) await client.query(`CREATE PUBLICATION ${quote(name)} ${target}${root}`);
    else await client.query(`ALTER PUBLICATION ${quote(name)} SET TABLE ${list}`);
  } catch (error) {
    throw toRetriable(error);
  }
}

/** Whether rows of a table, as `schema.table`, come by the stream. */
export async function isPublished(client: Client, settings: Settings, table: string): Promise<boolean> {
  const { rows } = await client.query(
    "SELECT FROM pg_publication_tables WHERE pubname = $1 AND schemaname || '.' || tablename = $2",
    [settings["publication.name"], table],
  );
  return rows.length > 0;
}

const CURRENT = `
  SELECT relreplident AS kind, (SELECT relname FROM pg_index i JOIN pg_class x ON x.oid = indexrelid WHERE indrelid = c.oid AND indisreplident) AS index
  FROM pg_class c WHERE oid = $1::oid`;

/** Gives the captured tables the replica identities that are asked for, where they have others; the first rule for a table counts. */
export async function ensureReplicaIdentities(client: Client, settings: Settings): Promise<void> {
  const rules = settings["replica.identity.autoset.values"];
  if (rules.length === 0) return;
  for (const { oid, schema, table } of await listPublished(client, settings)) {
    const rule = rules.find(({ tables }) => tables.test(`${schema}.${table}`));
    if (rule === undefined) continue;
    const { rows } = await client.query<{ kind: string; index: string | null }>(CURRENT, [oid]);
    const [now] = rows;
    if (now?.kind === rule.kind && (rule.kind !== "i" || now.index === rule.index)) continue;
    const words = { d: "DEFAULT", f: "FULL", n: "NOTHING", i: `USING INDEX ${quote(rule.index ?? "")}` };
    await client.query(`ALTER TABLE ${quote(schema)}.${quote(table)} REPLICA IDENTITY ${words[rule.kind]}`);
  }
}
