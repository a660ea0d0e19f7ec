import type { StringMap } from "@headrace/contract";
import type { ConfigResolver } from "../config-providers/resolver.ts";
import { ConnectError } from "../errors.ts";
import { isExactlyOnce, offsetsPlace } from "../offsets-place.ts";
import type { PluginRegistry } from "../plugins/registry.ts";
import type { ConnectorOwner, ExecutorCalls, NewSinkOffset, SinkOffset, SinkProgress } from "./channel.ts";
import type { SinkGroup, TaskClients } from "./clients.ts";
import type { OffsetsTopic, OffsetsTopics } from "./offsets-topics.ts";

/** What the offsets of connectors are read and changed with. */
export interface OffsetsEnvironment {
  readonly worker: StringMap;
  readonly plugins: Pick<PluginRegistry, "connector">;
  readonly resolver: Pick<ConfigResolver, "resolve">;
  readonly clients: Pick<TaskClients, "openSinkGroup">;
}

/** Asks a source connector whether its offsets may be changed so (KIP-875). False if it has nothing to say. */
export async function alterSourceOffsets(
  { plugins, resolver }: Pick<OffsetsEnvironment, "plugins" | "resolver">,
  { config, offsets }: ExecutorCalls["alterSourceOffsets"]["args"],
  signal: AbortSignal,
): Promise<boolean> {
  const resolved = await resolver.resolve(config, signal);
  const definition = definitionOf(plugins, resolved);
  if (definition.kind !== "source") throw new ConnectError("internal", `${definition.name} is no source connector`);
  if (definition.alterOffsets === undefined) return false;
  return definition.alterOffsets(definition.config.parse(resolved), offsets);
}

/** What the offsets topics of source connectors are reached with. */
export interface OwnOffsetsEnvironment extends Pick<OffsetsEnvironment, "worker" | "resolver"> {
  readonly offsetsTopics: OffsetsTopics;
}

/** What a source connector has in an offsets topic of its own; nothing if it has none. */
export async function listOwnOffsets(
  environment: OwnOffsetsEnvironment,
  owner: ConnectorOwner,
  signal: AbortSignal,
): Promise<ExecutorCalls["ownOffsets"]["result"]> {
  return withOffsetsTopic(environment, owner, async ({ topic }) => (await topic?.list(signal)) ?? [], signal);
}

/** Writes to a source connector's own offsets topic; with exactly-once delivery in a transaction, whichever topic it is. */
export async function writeOwnOffsets(
  environment: OwnOffsetsEnvironment,
  { offsets, records, ...owner }: ExecutorCalls["writeOwnOffsets"]["args"],
  signal: AbortSignal,
): Promise<null> {
  const { offsetsTopics, worker } = environment;
  return withOffsetsTopic(
    environment,
    owner,
    async ({ topic, name, config }) => {
      if (isExactlyOnce(worker)) {
        const resolved = { worker, connectorConfig: config, connector: owner.connector };
        await offsetsTopics.writeInTransaction(resolved, name, topic?.encode(offsets) ?? records, signal);
      } else {
        await topic?.write(offsets, signal);
      }
      return null;
    },
    signal,
  );
}

async function withOffsetsTopic<T>(
  { offsetsTopics, resolver, worker }: OwnOffsetsEnvironment,
  { connector, config: raw }: ConnectorOwner,
  use: (found: { topic: OffsetsTopic | null; name: string; config: StringMap }) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const config = await resolver.resolve(raw, signal);
  const place = offsetsPlace(worker, config);
  if (place.kind === "worker") return use({ topic: null, name: place.topic, config });
  const topic = await offsetsTopics.open({ worker, connectorConfig: config, connector }, place.topic, signal);
  try {
    return await use({ topic, name: place.topic, config });
  } finally {
    await topic.stop();
  }
}

/** Committed offsets of a sink connector's group. */
export async function listSinkOffsets(
  environment: OffsetsEnvironment,
  owner: ConnectorOwner,
  signal: AbortSignal,
): Promise<readonly SinkOffset[]> {
  const connectorConfig = await environment.resolver.resolve(owner.config, signal);
  return withGroup(environment, { ...owner, config: connectorConfig }, (group) =>
    group.admin.groupOffsets(group.groupId, signal),
  );
}

/** Committed offsets of a sink connector's group, with the ends of their partitions. */
export async function sinkProgress(
  environment: OffsetsEnvironment,
  owner: ConnectorOwner,
  signal: AbortSignal,
): Promise<SinkProgress> {
  const connectorConfig = await environment.resolver.resolve(owner.config, signal);
  return withGroup(environment, { ...owner, config: connectorConfig }, async ({ admin, groupId }) => {
    const offsets = await admin.groupOffsets(groupId, signal);
    const ends = new Map<string, ReadonlyMap<number, bigint>>();
    for (const topic of new Set(offsets.map((each) => each.topic))) {
      if ((await admin.partitions(topic, signal)) === null) continue;
      ends.set(topic, await admin.offsets(topic, "latest", signal));
    }
    const partitions = offsets.map((each) => ({ ...each, end: ends.get(each.topic)?.get(each.partition) ?? null }));
    return { group: groupId, partitions };
  });
}

/** Asks a sink connector, then changes its group. `offsets` null: removes the group with all that it has committed. */
export async function alterSinkOffsets(
  environment: OffsetsEnvironment,
  { connector, config, offsets }: ExecutorCalls["alterSinkOffsets"]["args"],
  signal: AbortSignal,
): Promise<boolean> {
  const resolved = await environment.resolver.resolve(config, signal);
  const definition = definitionOf(environment.plugins, resolved);
  if (definition.kind !== "sink") throw new ConnectError("internal", `${definition.name} is no sink connector`);
  return withGroup(environment, { connector, config: resolved }, async (group) => {
    const wanted = offsets ?? (await everyPosition(group, signal));
    await requireNoMembers(group, signal);
    if (offsets !== null) await requirePartitions(group, offsets, signal);
    const alterOffsets = definition.alterOffsets;
    const external = alterOffsets === undefined ? false : await alterOffsets(definition.config.parse(resolved), wanted);
    if (offsets === null) {
      await group.removeGroup(group.groupId, signal);
      return external;
    }
    const kept = wanted.flatMap(({ offset, ...partition }) => (offset === null ? [] : [{ ...partition, offset }]));
    const removed = wanted.filter(({ offset }) => offset === null);
    if (kept.length > 0) await group.alter(group.groupId, kept, signal);
    if (removed.length > 0) await group.remove(group.groupId, removed, signal);
    return external;
  });
}

function definitionOf(plugins: OffsetsEnvironment["plugins"], config: StringMap) {
  return plugins.connector(config["connector.class"]?.trim() ?? "", config["connector.plugin.version"]);
}

async function withGroup<T>(
  { clients, worker }: OffsetsEnvironment,
  { connector, config }: ConnectorOwner,
  use: (group: SinkGroup) => Promise<T>,
): Promise<T> {
  const group = clients.openSinkGroup({ worker, connectorConfig: config, connector });
  try {
    return await use(group);
  } finally {
    group.close();
  }
}

async function everyPosition(group: SinkGroup, signal: AbortSignal): Promise<readonly NewSinkOffset[]> {
  const offsets = await group.admin.groupOffsets(group.groupId, signal);
  return offsets.map(({ topic, partition }) => ({ topic, partition, offset: null }));
}

/** Before the connector is told anything: what it did could not be taken back. */
async function requireNoMembers(group: SinkGroup, signal: AbortSignal): Promise<void> {
  const { members } = await group.admin.describeGroup(group.groupId, signal);
  if (members.length === 0) return;
  const who = members.map(({ clientId }) => clientId).join(", ");
  throw new ConnectError("conflict", `Consumer group '${group.groupId}' has members: ${who}`);
}

/** Kafka would be asked for ever for a partition that may yet appear. */
async function requirePartitions(
  group: SinkGroup,
  offsets: readonly NewSinkOffset[],
  signal: AbortSignal,
): Promise<void> {
  for (const [topic, own] of Map.groupBy(offsets, (each) => each.topic)) {
    const count = (await group.admin.partitions(topic, signal)) ?? 0;
    const missing = own.find(({ partition }) => partition < 0 || partition >= count);
    if (missing !== undefined) {
      throw new ConnectError("kafka", `Topic '${topic}' has no partition ${missing.partition}`);
    }
  }
}
