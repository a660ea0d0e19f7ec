import fc from "fast-check";
import { goldenTopic } from "./golden.ts";

/** The three topics that a worker keeps its state in. */
export type StateTopic = "config" | "status" | "offsets";

/** What keys begin with; in the offsets topic, how they go on behind the connector's name. */
const PREFIXES: Readonly<Record<StateTopic, readonly string[]>> = {
  config: [
    "connector-",
    "task-",
    "commit-",
    "target-state-",
    "tasks-fencing-",
    "restart-connector-",
    "logger-cluster-",
    "session-key",
  ],
  status: ["status-connector-", "status-task-", "status-topic-", "status-topic-lines:connector-"],
  offsets: ["{}]", '{"file":"a"}]', "null]", "1]", '{"file":{}}]', "{}", '{},"more"]'],
};

/** A record as it lies in a topic. */
export interface RawRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
export const json = fc.jsonValue({ maxDepth: 3 }).map((value) => Buffer.from(JSON.stringify(value)));
export const toRaw = ({ key, value }: { readonly key: string; readonly value: string | null }): RawRecord => ({
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
});

/** Names that no good record of the tests uses, so that garbage can never be mistaken for news of those. */
const foreign = fc.oneof(
  fc.constantFrom("x", "x-0", "", "-", "x-y-1", "__proto__", "constructor", "toString", "x:connector-x", "\ud800"),
  fc.string({ maxLength: 12 }).map((name) => `x${name}`),
);

/** Records as they may come to lie in a topic by mistake or malice: bytes, known keys with foreign values, damaged copies of good ones. */
export function garbage(topic: StateTopic): fc.Arbitrary<RawRecord> {
  const value = fc.oneof(fc.constant(null), bytes, json);
  const key = fc
    .tuple(fc.constantFrom(...PREFIXES[topic]), foreign)
    .map(([prefix, name]) => Buffer.from(topic === "offsets" ? `["${name}",${prefix}` : `${prefix}${name}`));
  const damaged = fc
    .tuple(fc.constantFrom(...goldenTopic(topic).map(toRaw)), fc.nat(), fc.nat({ max: 255 }), fc.boolean())
    .map(([good, at, byte, cut]): RawRecord => {
      const value = Buffer.from(good.value ?? []);
      if (value.length > 0) value[at % value.length] = byte;
      // The key is made foreign, so that what is left of it says nothing of what the good records speak of.
      const name = Buffer.from("x\u0001");
      const key = topic === "offsets" ? Buffer.concat([name, good.key ?? name]) : foreignKey(good.key, name);
      return { key, value: cut ? value.subarray(0, at % (value.length + 1)) : value };
    });
  const any = fc.record({ key: fc.oneof(fc.constant(null), bytes), value });
  return fc.oneof(any, fc.record({ key, value }), damaged);
}

function foreignKey(key: Buffer | null, name: Buffer): Buffer {
  const text = key?.toString() ?? "";
  const prefix =
    /^(status-(connector|task|topic)-|target-state-|connector-|task-|commit-|restart-connector-|tasks-fencing-|logger-cluster-)/;
  const found = prefix.exec(text)?.[0] ?? "";
  return Buffer.concat([Buffer.from(found), name, Buffer.from(text.slice(found.length))]);
}
