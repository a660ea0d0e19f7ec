import { DataError } from "@headrace/sdk";

/** How objects are called: `<topics.dir>/<topic>/<partition path>/<topic>+<partition>+<first offset><extension>`. */
export interface NameSettings {
  /** Empty: none. */
  readonly topicsDir: string;
  readonly directoryDelimiter: string;
  readonly fileDelimiter: string;
  readonly offsetWidth: number;
  /** With its dot, and that of the compression. */
  readonly extension: string;
}

/** Where the first record of an object comes from. */
export interface FirstRecord {
  /** Topic after transforms. */
  readonly topic: string;
  /** Path of the partitioner. */
  readonly path: string;
  /** Where the record lies in Kafka: whatever transforms do, no two objects have one name. */
  readonly original: { readonly topic: string; readonly partition: number; readonly offset: bigint };
}

/** The longest key that S3 takes, bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

/** Throws DataError if the name would be too long. */
export function objectKey(settings: NameSettings, { topic, path, original }: FirstRecord): string {
  const { topicsDir, directoryDelimiter, offsetWidth, extension } = settings;
  const offset = String(original.offset).padStart(offsetWidth, "0");
  const file = `${filePrefix(settings, original)}${offset}${extension}`;
  const key = [topicsDir, topic, path, file].filter((part) => part !== "").join(directoryDelimiter);
  if (key.length > MAX_KEY_BYTES / 3 && Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw new DataError(`the object's name would have more than ${MAX_KEY_BYTES} bytes: ${key.slice(0, 100)}…`);
  return key;
}

/** What the names of all objects of a topic partition start with, behind their directory. */
export function filePrefix(
  { fileDelimiter }: NameSettings,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): string {
  return `${topic}${fileDelimiter}${partition}${fileDelimiter}`;
}

/** What the keys of all objects of a topic start with. */
export function topicPrefix({ topicsDir, directoryDelimiter }: NameSettings, topic: string): string {
  return [topicsDir, topic, ""].filter((part, index) => part !== "" || index === 2).join(directoryDelimiter);
}

/** Whether an object, or an upload, of this key belongs to one of these topic partitions. */
export function belongsTo(
  settings: NameSettings,
  key: string,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
): boolean {
  const file = key.slice(key.lastIndexOf(settings.directoryDelimiter) + settings.directoryDelimiter.length);
  return partitions.some((each) => {
    const prefix = filePrefix(settings, each);
    const rest = file.slice(prefix.length);
    return (
      file.startsWith(prefix) &&
      rest.endsWith(settings.extension) &&
      /^\d+$/.test(rest.slice(0, rest.length - settings.extension.length))
    );
  });
}
