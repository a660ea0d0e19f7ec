import assert from "node:assert/strict";
import type { GroupMember, GroupView } from "#runtime/group/group.ts";
import { createMember } from "#runtime/group/member.ts";
import type { MemberOptions } from "#runtime/group/member-options.ts";
import { toKeys } from "#runtime/group/work.ts";
import { createGroupClient, type GroupClient } from "#runtime/kafka/group-client.ts";
import { eventually } from "#support/eventually.ts";
import { uniqueName } from "#support/kafka.ts";
import { FakeNetwork } from "./fake-network.ts";
import { silent } from "./silent-logger.ts";
import { ConfigTopic, RunningWork, WorkerDouble } from "./worker-double.ts";

/** A group of members on a real Kafka, with workers that only keep account. */
export class KafkaGroup {
  readonly topic = new ConfigTopic();
  readonly running = new RunningWork();
  readonly network = new FakeNetwork();
  readonly groupId = uniqueName("group");
  readonly nodes: Node[] = [];
  readonly #bootstrap: string;

  constructor(bootstrap: string) {
    this.#bootstrap = bootstrap;
  }

  start(name: string, overrides: Partial<MemberOptions> & { sessionTimeoutMs?: number } = {}): Node {
    const sessionTimeoutMs = overrides.sessionTimeoutMs ?? 60_000;
    const url = `http://${name}:8083/`;
    const client = crashable(
      createGroupClient({
        settings: {
          brokers: [this.#bootstrap],
          clientId: name,
          tls: null,
          sasl: null,
          connectionTimeoutMs: 2_000,
          requestTimeoutMs: 40_000,
          retryBackoffMs: 50,
          retryBackoffMaxMs: 500,
        },
        groupId: this.groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs: 60_000,
        answerTimeoutMs: 10_000,
        log: silent,
      }),
    );
    const worker = new WorkerDouble(name, this.topic, this.running);
    const member = createMember({
      groupId: this.groupId,
      url,
      client,
      host: worker,
      protocol: "sessioned",
      sessionTimeoutMs,
      heartbeatIntervalMs: 3_000,
      maxDelayMs: 0,
      rebalanceTimeoutMs: 60_000,
      unsyncBackoffMs: 300_000,
      syncTimeoutMs: 10_000,
      log: silent,
      transport: this.network.transport(),
      ...overrides,
    });
    this.network.register(url, member);
    const stop = new AbortController();
    const node: Node = { name, url, member, worker, client, stop, ended: member.run(stop.signal) };
    this.nodes.push(node);
    return node;
  }

  /** Each finds a stable group, whose members it tells of itself; of those that come at one time one may have to wait for a heartbeat. */
  async startInTurn(names: readonly string[], overrides: Parameters<KafkaGroup["start"]>[1]): Promise<readonly Node[]> {
    const nodes: Node[] = [];
    for (const name of names) {
      nodes.push(this.start(name, overrides));
      await this.balancedOver(nodes);
    }
    return nodes;
  }

  /** Everything configured runs, evenly over these workers, and each of them knows it. */
  async balancedOver(nodes: readonly Node[]): Promise<void> {
    const wanted = toKeys(this.topic.end).toSorted();
    await eventually(`balance over ${nodes.map((node) => node.name)}`, () => {
      const running = nodes.flatMap((node) => this.running.of(node.name)).toSorted();
      const loads = nodes.map((node) => node.worker.work.tasks.length);
      const even = Math.max(...loads) - Math.min(...loads) <= 1;
      return even && String(running) === String(wanted) && nodes.every((node) => isSettled(node.member.view(), nodes));
    });
    assert.deepEqual(this.running.violations, []);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.stop.abort();
    await Promise.all(this.nodes.map((node) => node.ended));
    for (const node of this.nodes) node.client.close();
  }
}

export interface Node {
  readonly name: string;
  readonly url: string;
  readonly member: GroupMember;
  readonly worker: WorkerDouble;
  readonly client: Crashable;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

interface Crashable extends GroupClient {
  /** As kill -9 would: nothing is sent any more, nothing is answered. */
  crash(): void;
}

function crashable(client: GroupClient): Crashable {
  let crashed = false;
  const never = <T>(signal: AbortSignal): Promise<T> => {
    const { promise, reject } = Promise.withResolvers<T>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  };
  return {
    join: (request, signal) => (crashed ? never(signal) : client.join(request, signal)),
    sync: (request, signal) => (crashed ? never(signal) : client.sync(request, signal)),
    heartbeat: (identity, signal) => (crashed ? never(signal) : client.heartbeat(identity, signal)),
    leave: async (memberId, signal) => (crashed ? { kind: "left" } : client.leave(memberId, signal)),
    members: (signal) => client.members(signal),
    close: () => client.close(),
    crash() {
      crashed = true;
      client.close();
    },
  };
}

function isSettled(view: GroupView, nodes: readonly Node[]): boolean {
  return !view.rebalancing && view.balanced && view.members.length === nodes.length;
}
