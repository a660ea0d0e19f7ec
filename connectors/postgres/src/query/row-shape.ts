import { optional } from "@headrace/sdk";
import { type ColumnRules, createRowShape, type NamedColumn, type RowShape } from "@headrace/sql";
import type { Client, FieldDef } from "pg";
import type { TypeCatalog } from "../types/pg-type.ts";
import { columnOf } from "./column.ts";

interface ColumnRow {
  readonly relation: string;
  readonly number: number;
  readonly required: boolean;
}

/**
 * The shape of a result. Of a table (`name` is not null) columns are required that are NOT NULL there; of a query all admit null, as a join
 * may give none.
 */
export async function readRowShape(
  client: Client,
  options: {
    readonly fields: readonly FieldDef[];
    readonly name: string | null;
    readonly types: TypeCatalog;
    readonly rules: ColumnRules;
  },
): Promise<RowShape> {
  const { fields, name, types, rules } = options;
  await types.load(
    client,
    fields.map((field) => field.dataTypeID),
  );
  const required = name === null ? new Set<string>() : await readRequired(client, fields);
  const columns = fields.map((field): NamedColumn => {
    const { schema, decode } = columnOf(types.get(field.dataTypeID), field.dataTypeModifier, rules);
    const isRequired = required.has(`${field.tableID} ${field.columnID}`);
    return { name: field.name, schema: isRequired ? schema : optional(schema), isRequired, decode };
  });
  return createRowShape(name, columns);
}

async function readRequired(client: Client, fields: readonly FieldDef[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<ColumnRow>(
    `SELECT attrelid::int8 AS relation, attnum AS number, attnotnull AS required
     FROM pg_attribute WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND attnotnull`,
    [[...new Set(fields.map((field) => field.tableID))]],
  );
  return new Set(rows.map(({ relation, number }) => `${relation} ${number}`));
}
