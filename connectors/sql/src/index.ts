export type { ConnectionSettings } from "./connection-keys.ts";
export { connectionKeys } from "./connection-keys.ts";
export type { Database } from "./database.ts";
export {
  connectionProblems,
  connectionUrl,
  isNetworkError,
  KEEP_ALIVE_MS,
  quoteTable,
  retriable,
  withAbort,
} from "./database.ts";
export {
  civilFromDays,
  clockParts,
  DAY,
  daysFromCivil,
  floorDivide,
  parseTime,
  SECOND,
  timestampText,
} from "./moment.ts";
export { complain } from "./problems.ts";
export type { InsertMode } from "./sink/alike.ts";
export { alikeRuns, isAlike, lastOfEachKey } from "./sink/alike.ts";
export type { Cell } from "./sink/cell.ts";
export { localText, toCell } from "./sink/cell.ts";
export type { Change, RowRules } from "./sink/row.ts";
export { toChange } from "./sink/row.ts";
export type { SinkSettings } from "./sink/settings.ts";
export { SINK_KEYS, sinkProblems } from "./sink/settings.ts";
export type { Place, PositionTable, SinkDatabase, Table, WriteOptions } from "./sink/sink-database.ts";
export { createSinkTask } from "./sink/sink-task.ts";
export { checkOffsets } from "./source/alter-offsets.ts";
export type { Column, ColumnRules } from "./source/column.ts";
export { numericColumn, STRINGS, timestampColumn } from "./source/column.ts";
export type { Position } from "./source/position.ts";
export { fromOffset, toOffset } from "./source/position.ts";
export type { NamedColumn, Row, RowShape } from "./source/row-shape.ts";
export { createRowShape } from "./source/row-shape.ts";
export type { SourceSettings } from "./source/settings.ts";
export {
  CONNECTOR_KEYS,
  MODE_KEYS,
  sourceProblems,
  TABLE_LIST_KEYS,
  TABLE_POLL_KEYS,
  TASK_KEYS,
} from "./source/settings.ts";
export type { CursorOptions, RowCursor, SourceDatabase } from "./source/source-database.ts";
export { createSourceTask } from "./source/source-task.ts";
export type { Mode, Operand, Selection, Statement, StatementStyle } from "./source/statement.ts";
export { statementOf } from "./source/statement.ts";
export type { TableName, TableRules } from "./source/table-name.ts";
export { checkTopics, fullName, selectTables, splitTables } from "./source/table-name.ts";
export { planTables, watchTables } from "./source/tables.ts";
export type { TimeZone } from "./time-zone.ts";
export { timeZoneOf, UTC } from "./time-zone.ts";
