import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after as afterAll, before, describe, it } from "node:test";
import fc from "fast-check";
import { type AssignorResult, type AssignorState, assign, INITIAL_ASSIGNOR_STATE } from "#runtime/group/assignor.ts";
import type { Assignment } from "#runtime/group/group.ts";
import { NO_WORK, toKeys, toWork, union, without } from "#runtime/group/work.ts";
import { type JavaAnswer, type JavaAssignor, startJavaAssignor } from "./java-assignor.ts";

const HISTORIES = 3_000;
const MAX_DELAY_MS = 300_000;

/** What happens before a round. */
const Event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("nothing") }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("join"), who: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("leave"), who: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("configure"), connectors: fc.nat(9), tasks: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.nat(400_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unheard"), who: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("duplicate"), who: fc.nat(9), of: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("gap") }) },
);
const History = fc.record({
  maxDelayMs: fc.constantFrom(0, MAX_DELAY_MS),
  members: fc.integer({ min: 1, max: 5 }),
  connectors: fc.nat(9),
  tasks: fc.nat(3),
  events: fc.array(Event, { minLength: 1, maxLength: 14 }),
});
type HistoryEvent = {
  readonly kind: string;
  readonly who?: number;
  readonly of?: number;
  readonly ms?: number;
  readonly connectors?: number;
  readonly tasks?: number;
};

function connectors(count: number, tasksEach: number): Assignment {
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  const tasks = names.flatMap((connector) => Array.from({ length: tasksEach }, (_, task) => ({ connector, task })));
  return { connectors: names, tasks };
}

/** A group that two leaders lead side by side; what is done is what the Java one says. */
class ComparedGroup {
  readonly held = new Map<string, Assignment>();
  readonly #java: JavaAssignor;
  readonly #maxDelayMs: number;
  configured: Assignment = NO_WORK;
  nowMs = 1_000;
  #generation = 0;
  #lastGeneration = 0;
  #state: AssignorState = INITIAL_ASSIGNOR_STATE;

  constructor(java: JavaAssignor, maxDelayMs: number) {
    this.#java = java;
    this.#maxDelayMs = maxDelayMs;
    java.reset(maxDelayMs);
  }

  /** Returns the member that does not hear of the next round. */
  happen(event: HistoryEvent): string | null {
    const ids = [...this.held.keys()];
    const pick = (index = 0) => ids[index % ids.length] ?? "";
    switch (event.kind) {
      case "join": {
        const id = `m${event.who}`;
        if (!this.held.has(id)) this.held.set(id, NO_WORK);
        return null;
      }
      case "leave":
        if (ids.length > 1) this.held.delete(pick(event.who));
        return null;
      case "configure":
        this.configured = connectors(event.connectors ?? 0, event.tasks ?? 0);
        return null;
      case "wait":
        this.nowMs += event.ms ?? 0;
        return null;
      case "unheard":
        return pick(event.who);
      case "duplicate": {
        const twice = this.held.get(pick(event.of)) ?? NO_WORK;
        this.held.set(pick(event.who), union(this.held.get(pick(event.who)) ?? NO_WORK, twice));
        return null;
      }
      case "gap":
        this.#lastGeneration += 1;
        this.#generation += 1;
        return null;
      default:
        return null;
    }
  }

  /** One round. Returns the name of an intended difference that shows in it, else null. */
  async round(unheard: string | null): Promise<string | null> {
    const members = new Map([...this.held].map(([id, work]) => [id, toWork(toKeys(work))]));
    const facts = {
      nowMs: this.nowMs,
      lastGeneration: this.#lastGeneration,
      generation: this.#generation + 1,
      configured: this.configured,
    };
    const theirs = await this.#java.assign({ ...facts, members });
    const before = this.#state;
    const ours = assign(before, {
      ...facts,
      maxDelayMs: this.#maxDelayMs,
      members: [...members].map(([memberId, holds]) => ({ memberId, holds, draining: false })),
    });
    if (!sameAnswer(ours, theirs)) {
      const intended = intendedDifference(before, { ...facts, members });
      assert.ok(intended, `${summary(ours)}\nJava: ${summary(theirs)}`);
      return intended;
    }
    this.#adopt(ours, theirs, unheard);
    return null;
  }

  #adopt(ours: AssignorResult, theirs: JavaAnswer, unheard: string | null): void {
    // Which of equal tasks go where is nobody's business; what is remembered follows what was done.
    const taken = new Set([...theirs.shares.values()].flatMap(({ revoked }) => toKeys(revoked)));
    const ourHeld = new Set([...ours.shares.values()].flatMap(({ holds }) => toKeys(holds)));
    const theirHeld = [...this.held].flatMap(([id, work]) => toKeys(after(work, theirs.shares.get(id))));
    const missing = [...ours.state.assigned].filter((key) => !ourHeld.has(key));
    this.#state = { ...ours.state, revoked: taken, assigned: new Set([...theirHeld, ...missing]) };
    this.#generation += 1;
    this.#lastGeneration = this.#generation;
    for (const [id, work] of this.held) if (id !== unheard) this.held.set(id, after(work, theirs.shares.get(id)));
  }
}

type Answer = Pick<JavaAnswer, "delayMs" | "shares">;

function after(work: Assignment, share: { readonly assigned: Assignment; readonly revoked: Assignment } | undefined) {
  return share === undefined ? work : union(without(work, share.revoked), share.assigned);
}

/**
 * Everything that a leader decides: the delay, what is given out, and how many connectors and tasks each member gets and gives back. Java takes
 * tasks in the order of their hash codes, so which of equal ones go where is left out.
 */
function summary({ delayMs, shares }: Answer): string {
  const count = ({ connectors, tasks }: Assignment) => `${connectors.length}+${tasks.length}`;
  const lines = [...shares].map(([id, share]) => `${id}: gets ${count(share.assigned)}, gives ${count(share.revoked)}`);
  const given = [...shares.values()].flatMap(({ assigned }) => toKeys(assigned)).sort();
  return [`delay ${delayMs}`, `given ${given}`, ...lines.sort()].join("\n");
}

function sameAnswer(ours: Answer, theirs: Answer): boolean {
  return summary(ours) === summary(theirs);
}

interface RoundFacts {
  readonly nowMs: number;
  readonly lastGeneration: number;
  readonly configured: Assignment;
  readonly members: ReadonlyMap<string, Assignment>;
}

/** Where we mean to differ (docs/compatibility.md); null: nothing excuses a difference. */
function intendedDifference(
  state: AssignorState,
  { nowMs, lastGeneration, configured, members }: RoundFacts,
): string | null {
  const active = new Set([...members.values()].flatMap(toKeys));
  const wanted = new Set(toKeys(configured));
  const remembered = state.generation === lastGeneration ? state.assigned : new Set<string>();
  const lost = [...remembered].filter((key) => wanted.has(key) && !active.has(key));
  if (lost.length > 0 && state.lostUntilMs !== null && nowMs >= state.lostUntilMs) return "work of the departed";
  if (state.backOffUntilMs !== null) return "back-off interrupted";
  const departed = [...state.members].some((id) => !members.has(id));
  if (lost.length === 0 && departed && state.revokedForBalance) return "a delay for nothing";
  return null;
}

describe("our assignor and Apache's on the same histories", { timeout: 600_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-assignor-"));
  let java: JavaAssignor;

  before(async () => {
    java = await startJavaAssignor(dir);
  });

  afterAll(async () => {
    await java?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("decide the same in every round", async (t) => {
    let rounds = 0;
    const differences = new Map<string, number>();
    const history = async ({ maxDelayMs, members, connectors: count, tasks, events }: FullHistory) => {
      const group = new ComparedGroup(java, maxDelayMs);
      for (let index = 0; index < members; index++) group.happen({ kind: "join", who: index });
      group.configured = connectors(count, tasks);
      for (const event of [{ kind: "nothing" }, ...events]) {
        rounds += 1;
        const difference = await group.round(group.happen(event));
        if (difference === null) continue;
        differences.set(difference, (differences.get(difference) ?? 0) + 1);
        return;
      }
    };
    await fc.assert(fc.asyncProperty(History, history), { numRuns: HISTORIES, seed: 20260101 });
    const intended = [...differences].map(([what, times]) => `${what}: ${times}`).join(", ");
    t.diagnostic(`interop | assignor | ${rounds} rounds of ${HISTORIES} histories | equal; intended: ${intended}`);
    assert.ok(rounds > 3 * HISTORIES);
  });
});

type FullHistory = {
  readonly maxDelayMs: number;
  readonly members: number;
  readonly connectors: number;
  readonly tasks: number;
  readonly events: readonly HistoryEvent[];
};
