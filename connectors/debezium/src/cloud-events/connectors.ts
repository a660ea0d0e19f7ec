/** What tells one event of a connector from another, and which parts of the event are its data. Source: Debezium's CloudEventsMakers. */
export interface ConnectorEvents {
  /** Fields of `source` that make the id, behind the server's name: what they are called in it, and in `source`. */
  readonly id: readonly (readonly [string, string])[];
  /** Fields of the event that are the data; null: all. */
  readonly data: readonly string[] | null;
}

const ROW = ["before", "after"] as const;
const same = (...names: readonly string[]) => names.map((name) => [name, name] as const);

/** By `source.connector`. */
export const CONNECTORS: ReadonlyMap<string, ConnectorEvents> = new Map<string, ConnectorEvents>([
  ["postgresql", { id: same("lsn", "txId", "sequence"), data: ROW }],
  ["mysql", { id: same("file", "pos"), data: ROW }],
  ["mariadb", { id: same("file", "pos"), data: null }],
  ["sqlserver", { id: same("change_lsn", "commit_lsn", "event_serial_no"), data: ROW }],
  ["oracle", { id: same("scn", "commit_scn", "lcr_position"), data: ROW }],
  [
    "mongodb",
    {
      id: [
        ["ts", "ts_ms"],
        ["ord", "ord"],
      ],
      data: [...ROW, "updateDescription"],
    },
  ],
]);
