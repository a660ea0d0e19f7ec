import { ConfigError, config } from "@headrace/sdk";

/** A table or view that can be read. */
export interface TableName {
  readonly database: string;
  /** null: the system has no schemas below its databases. */
  readonly schema: string | null;
  readonly table: string;
}

/** Lists of tables that are read, or left out. */
export interface TableRules {
  readonly "table.whitelist": readonly string[];
  readonly "table.blacklist": readonly string[];
  readonly "table.include.list": readonly string[];
  readonly "table.exclude.list": readonly string[];
}

/** Those of the tables that the lists admit. A name may have its schema and database before it, or not. */
export function selectTables(tables: readonly TableName[], rules: TableRules): readonly TableName[] {
  const isNamed = (list: readonly string[], table: TableName) => namesOf(table).some((name) => list.includes(name));
  const include = rules["table.include.list"].map(config.fullMatch);
  const exclude = rules["table.exclude.list"].map(config.fullMatch);
  const isMatched = (list: readonly RegExp[], table: TableName) =>
    namesOf(table).some((name) => list.some((pattern) => pattern.test(name)));
  return tables.filter((table) => {
    if (isNamed(rules["table.blacklist"], table) || isMatched(exclude, table)) return false;
    if (rules["table.whitelist"].length === 0 && include.length === 0) return true;
    return isNamed(rules["table.whitelist"], table) || isMatched(include, table);
  });
}

/** From the longest form to the shortest. */
function namesOf(name: TableName): readonly string[] {
  const parts = partsOf(name);
  return parts.map((_, index) => parts.slice(index).join("."));
}

function partsOf({ database, schema, table }: TableName): readonly string[] {
  return schema === null ? [database, table] : [database, schema, table];
}

/** A topic is named by its table alone: throws ConfigError if two tables would share one. */
export function checkTopics(tables: readonly TableName[]): void {
  const seen = new Map<string, TableName>();
  for (const table of tables) {
    const other = seen.get(table.table);
    if (other !== undefined) {
      throw new ConfigError(
        `tables ${fullName(other)} and ${fullName(table)} would share a topic: give the lists so that one remains`,
      );
    }
    seen.set(table.table, table);
  }
}

/** At most so many lists, as even as can be, tables in their order. */
export function splitTables(tables: readonly TableName[], count: number): readonly (readonly TableName[])[] {
  const groups = Math.min(count, tables.length);
  return Array.from({ length: groups }, (_, group) =>
    tables.slice(Math.ceil((group * tables.length) / groups), Math.ceil(((group + 1) * tables.length) / groups)),
  );
}

/** As JDBC sources name it in their source partitions. */
export const fullName = (name: TableName): string => partsOf(name).join(".");
