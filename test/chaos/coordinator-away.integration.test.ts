import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "#support/eventually.ts";
import { ownKafka } from "#support/kafka.ts";
import { KafkaGroup } from "../runtime/group/kafka-group.ts";

/** Far longer than the outage, however slow the machine. */
const LONG_SESSION_MS = 600_000;
/** From the loss of the shorter lease on. */
const STILL_AWAY_MS = 14_000;

describe("members of a group whose coordinator is away", { timeout: 560_000 }, () => {
  it("keep their work as long as the lease holds, and stop everything when it does not", async () => {
    let kafka = await ownKafka({ heap: "384m" });
    const group = new KafkaGroup(kafka.bootstrap);
    const brief = new KafkaGroup(kafka.bootstrap);
    try {
      group.topic.write(6, 2);
      brief.topic.write(4);
      const nodes = ["a", "b"].map((name) => group.start(name, { sessionTimeoutMs: LONG_SESSION_MS }));
      const hasty = brief.start("hasty", { sessionTimeoutMs: 6_000 });
      await group.balancedOver(nodes);
      await brief.balancedOver([hasty]);
      const before = nodes.map((node) => group.running.of(node.name));
      await kafka.kill();
      await eventually(
        "the short lease is lost, and everything stopped",
        () => hasty.worker.losses.length > 0 && brief.running.all.length === 0,
      );
      await sleep(STILL_AWAY_MS);
      kafka = await kafka.restart();
      await brief.balancedOver([hasty]);
      await group.balancedOver(nodes);
      const losses = nodes.map((node) => node.worker.losses);
      assert.deepEqual(losses, [[], []]);
      const after = nodes.map((node) => group.running.of(node.name));
      assert.deepEqual(after, before);
    } finally {
      await Promise.all([group.close(), brief.close()]);
      await kafka.stop();
    }
  });
});
