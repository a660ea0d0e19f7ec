import assert from "node:assert/strict";
import type { Assigned, Assignment, ConfigSnapshot, GroupHost } from "#runtime/group/group.ts";
import { toKeys, toWork } from "#runtime/group/work.ts";

/** Where a worker reads the configuration. */
export interface ConfigSource {
  readonly end: ConfigSnapshot;
}

/** What the config topic says, for all workers of a test. */
export class ConfigTopic implements ConfigSource {
  #snapshot: ConfigSnapshot = { offset: -1n, connectors: [], tasks: [] };

  get end(): ConfigSnapshot {
    return this.#snapshot;
  }

  /** Writes connectors c0 … with `tasksEach` tasks each; one record for all. */
  write(count: number, tasksEach = 1): void {
    const connectors = Array.from({ length: count }, (_, index) => `c${index}`);
    const tasks = connectors.flatMap((connector) =>
      Array.from({ length: tasksEach }, (_, task) => ({ connector, task })),
    );
    const offset = this.#snapshot.offset < 0n ? 1n : this.#snapshot.offset + 1n;
    this.#snapshot = { offset, connectors, tasks };
  }
}

/** Which worker runs what; fails the test as soon as anything runs twice (invariant 3). */
export class RunningWork {
  readonly #owners = new Map<string, string>();
  readonly violations: string[] = [];

  start(owner: string, key: string): void {
    const other = this.#owners.get(key);
    if (other !== undefined && other !== owner) this.violations.push(`${key} started by ${owner}, runs at ${other}`);
    this.#owners.set(key, owner);
  }

  stop(owner: string, key: string): void {
    if (this.#owners.get(key) === owner) this.#owners.delete(key);
  }

  of(owner: string): string[] {
    return [...this.#owners].filter(([, each]) => each === owner).map(([key]) => key);
  }

  get all(): string[] {
    return [...this.#owners.keys()];
  }
}

/** The worker behind a member: a herder's state without connectors. */
export class WorkerDouble implements GroupHost {
  readonly rounds: Assigned[] = [];
  readonly losses: string[] = [];
  readonly leases: { readonly sentAtMs: number; readonly leaseMs: number }[] = [];
  readonly name: string;
  readonly #topic: ConfigSource;
  readonly #running: RunningWork;
  #snapshot: ConfigSnapshot;
  /** Replaces what `refreshConfig` does. */
  onRefresh: (signal: AbortSignal) => Promise<void> = async () => this.read();
  /** Awaited in `assigned` before what was revoked has stopped. */
  onStop: () => Promise<void> = async () => {};
  /** Awaited in `assigned` after what was revoked has stopped. */
  onAssigned: (round: Assigned, signal: AbortSignal) => Promise<void> = async () => {};
  onLost: () => Promise<void> = async () => {};

  constructor(name: string, topic: ConfigSource, running: RunningWork) {
    this.name = name;
    this.#topic = topic;
    this.#running = running;
    this.#snapshot = topic.end;
  }

  /** Reads the config topic to its end. */
  read(): void {
    this.#snapshot = this.#topic.end;
  }

  get work(): Assignment {
    return toWork(this.#running.of(this.name));
  }

  snapshot(): ConfigSnapshot {
    return this.#snapshot;
  }

  refreshConfig(signal: AbortSignal): Promise<void> {
    return this.onRefresh(signal);
  }

  async assigned(round: Assigned, signal: AbortSignal): Promise<void> {
    this.rounds.push(round);
    const wanted = new Set(toKeys(round.assignment));
    const before = this.#running.of(this.name);
    const revoked = new Set(toKeys(round.revoked));
    for (const key of before) if (!wanted.has(key)) assert.ok(revoked.has(key), `${key} vanished without revocation`);
    if (revoked.size > 0) await this.onStop();
    for (const key of before) if (!wanted.has(key)) this.#running.stop(this.name, key);
    await this.onAssigned(round, signal);
    if (signal.aborted) return;
    for (const key of wanted) this.#running.start(this.name, key);
  }

  async lost(reason: string): Promise<void> {
    this.losses.push(reason);
    await this.onLost();
    for (const key of this.#running.of(this.name)) this.#running.stop(this.name, key);
  }

  renewLease(sentAtMs: number, leaseMs: number): void {
    this.leases.push({ sentAtMs, leaseMs });
  }
}
