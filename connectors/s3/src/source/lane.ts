/** What the name of an object tells. */
export interface ObjectPlace {
  /** Objects of one lane are read one after the other, and share a position: those of a directory, and in it of a Kafka partition. */
  readonly lane: string;
  /** Lanes of one group are read by one task: what came from one Kafka partition stays together. */
  readonly group: string;
  /** From a name that the sink has given. */
  readonly from: { readonly topic: string; readonly partition: number; readonly offset: bigint } | null;
  /** With its dot, without that of the compression; empty: it has none. */
  readonly extension: string;
}

/** `<topic>+<partition>+<offset>` before the extension; a topic has no character that could be one of the delimiter's. */
const SINK_NAME = /^([A-Za-z0-9._-]+)\+(\d{1,10})\+(\d{1,20})(\.[^/]*)?$/;

/** Reads an object's key. */
export function placeOf(key: string): ObjectPlace {
  const slash = key.lastIndexOf("/");
  const directory = key.slice(0, slash + 1);
  const file = key.slice(slash + 1);
  const bare = file.replace(/\.(gz|zst)$/, "");
  const dot = bare.lastIndexOf(".");
  const extension = dot < 0 ? "" : bare.slice(dot).toLowerCase();
  const [, topic, partition, offset] = SINK_NAME.exec(file) ?? [];
  if (topic === undefined || partition === undefined || offset === undefined) {
    return { lane: directory, group: directory, from: null, extension };
  }
  const group = `${topic}+${partition}`;
  return {
    lane: `${directory}${group}`,
    group,
    from: { topic, partition: Number(partition), offset: BigInt(offset) },
    extension,
  };
}

/** Which of so many tasks reads a group: FNV-1a, the same everywhere and for ever. */
export function taskOf(group: string, tasks: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(group)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % tasks;
}
