import { DataError } from "@headrace/sdk";
import { type RegistrySettings, strategyOf } from "./client/settings.ts";

/** The subject of a topic's schemas; `record` is the full name of the record, null if the schema is none. Throws DataError. */
export type SubjectOf = (topic: string, record: string | null) => string;

/** The strategy that the settings name, for keys or values. Source: io.confluent.kafka.serializers.subject. */
export function subjectStrategy(settings: RegistrySettings, isKey: boolean): SubjectOf {
  const key = isKey ? "key.subject.name.strategy" : "value.subject.name.strategy";
  const strategy = strategyOf(settings[key]);
  if (strategy === "RecordNameStrategy") return (_, record) => nameOf(record, key);
  if (strategy === "TopicRecordNameStrategy") return (topic, record) => `${topic}-${nameOf(record, key)}`;
  const suffix = isKey ? "key" : "value";
  return (topic) => `${topic}-${suffix}`;
}

function nameOf(record: string | null, key: string): string {
  if (record !== null) return record;
  throw new DataError(`${key} needs records with a name; this schema is no record`);
}
