import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createGroupClient, type GroupClient } from "#runtime/kafka/group-client.ts";
import { createGroupOffsets, type GroupOffsets } from "#runtime/kafka/group-offsets.ts";
import { createTopicAdmin, type TopicAdmin } from "#runtime/kafka/topic-admin.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { kafkaSettings } from "#support/topic-logs.ts";

describe("offsets of a consumer group", { timeout: 560_000 }, () => {
  const topic = uniqueName("group-offsets");
  const log = createSilentLog();
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let admin: TopicAdmin;
  let offsets: GroupOffsets;
  let member: GroupClient | undefined;
  const at = (partition: number) => ({ topic, partition });

  before(async () => {
    kafka = await sharedKafka();
    admin = createTopicAdmin(kafkaSettings(kafka.bootstrap), log);
    offsets = createGroupOffsets(kafkaSettings(kafka.bootstrap), log);
    const signal = AbortSignal.timeout(30_000);
    await admin.createTopic({ topic, partitions: 3, replicationFactor: 1, configs: {} }, signal);
  });
  after(async () => {
    member?.close();
    offsets.close();
    admin.close();
    await kafka.stop();
  });

  const committed = async (group: string, signal: AbortSignal) =>
    (await admin.groupOffsets(group, signal))
      .map(({ partition, offset }) => `${partition}:${offset}`)
      .sort()
      .join(" ");

  it("are changed, removed one by one, and removed with the group", async (t) => {
    const group = uniqueName("group");
    const wanted = [
      { ...at(0), offset: 5n },
      { ...at(1), offset: 2n ** 62n },
      { ...at(2), offset: 7n },
    ];
    await offsets.alter(group, wanted, t.signal);
    assert.equal(await committed(group, t.signal), `0:5 1:${2n ** 62n} 2:7`);
    await offsets.remove(group, [at(0), at(2)], t.signal);
    assert.equal(await committed(group, t.signal), `1:${2n ** 62n}`);
    await offsets.remove(group, [at(0)], t.signal);
    await offsets.removeGroup(group, t.signal);
    assert.equal(await committed(group, t.signal), "");
    await offsets.removeGroup(group, t.signal);
    await assert.rejects(offsets.remove(group, [at(0)], t.signal), { code: "not-found" });
  });

  it("are left alone while the group has members", async (t) => {
    const group = uniqueName("group");
    const client = createGroupClient({
      settings: kafkaSettings(kafka.bootstrap),
      groupId: group,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 10_000,
      answerTimeoutMs: 5_000,
      log,
    });
    member = client;
    const protocols = [{ name: "default", metadata: Buffer.alloc(8) }];
    const memberId = await eventually("a member id", async () => {
      const required = await client.join({ memberId: "", protocols }, t.signal);
      return required.kind === "member-id-required" && required.memberId;
    });
    const round = await client.join({ memberId, protocols }, t.signal);
    assert.ok(round.kind === "joined");
    await client.sync({ ...round, assignments: [{ memberId, assignment: Buffer.alloc(1) }] }, t.signal);
    for (const attempt of [
      offsets.alter(group, [{ ...at(0), offset: 1n }], t.signal),
      offsets.remove(group, [at(0)], t.signal),
      offsets.removeGroup(group, t.signal),
    ]) {
      await assert.rejects(attempt, { code: "conflict" });
    }
    assert.deepEqual((await admin.describeGroup(group, t.signal)).members.length, 1);
  });
});
