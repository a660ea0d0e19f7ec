import { type SinkRecord, Utf8Text } from "@headrace/sdk";

/** The records without views on the batch that they came in: for what is kept beyond it. */
export function toKept(records: readonly SinkRecord[]): SinkRecord[] {
  return records.map((record) =>
    record.value instanceof Utf8Text ? { ...record, value: record.value.decode() } : record,
  );
}
