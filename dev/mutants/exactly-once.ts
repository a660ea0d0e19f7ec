import type { Mutant } from "./mutant.ts";

const RUN = ["test/runtime/task/exactly-once-run.test.ts"];
const FENCING = ["test/runtime/herder/fencing.test.ts"];
const WRITES = ["test/runtime/store/privileged-writes.test.ts"];

/** Guards of transactions: those of tasks (KIP-618) and those of the leader. */
export const EXACTLY_ONCE_MUTANTS: readonly Mutant[] = [
  {
    invariant: 1,
    guard: "a refused record keeps its transaction from being committed",
    file: "runtime/src/task/exactly-once-run.ts",
    find: "if (failure !== undefined) {",
    replace: "if (false && failure !== undefined) {",
    tests: RUN,
  },
  {
    invariant: 1,
    guard: "a transaction that the connector did not end is not committed when its task ends",
    file: "runtime/src/task/exactly-once-run.ts",
    find: 'if (this.#parts.exactlyOnce.boundary.kind === "connector") await this.#endBatch();\n    else await this.#commit();',
    replace: "await this.#commit();",
    tests: RUN,
  },
  {
    invariant: 3,
    guard: "former tasks are fenced before a task opens",
    file: "runtime/src/task/exactly-once-run.ts",
    find: "await exactlyOnce.fence(control.stopping);",
    replace: "",
    tests: RUN,
  },
  {
    invariant: 3,
    guard: "a task of yesterday's task set does not open",
    file: "runtime/src/task/exactly-once-run.ts",
    find: "if (await exactlyOnce.isCurrent(control.stopping)) return producer;",
    replace: "if ((await exactlyOnce.isCurrent(control.stopping)) || true) return producer;",
    tests: RUN,
  },
  {
    invariant: 3,
    guard: "no transaction is committed without a lease",
    file: "runtime/src/task/exactly-once-run.ts",
    find: "this.#control.permit();\n      await this.#producer.commit(",
    replace: "await this.#producer.commit(",
    tests: RUN,
  },
  {
    invariant: 3,
    guard: "all producers of the last round are fenced",
    file: "runtime/src/herder/fencing-plan.ts",
    find: 'return { kind: "fence", producers: taskCount };',
    replace: 'return { kind: "fence", producers: Math.max(0, taskCount - 1) };',
    tests: FENCING,
  },
  {
    invariant: 3,
    guard: "a fencing does not count for task sets that came after it",
    file: "runtime/src/herder/fencing.ts",
    find: "if (entry.taskGeneration !== taskGeneration) {",
    replace: "if (false) {",
    tests: FENCING,
  },
  {
    invariant: 6,
    guard: "a stopping source commits its open transaction",
    file: "runtime/src/task/exactly-once-run.ts",
    find: "if (!this.#failing.signal.aborted) await this.#finish();",
    replace: "",
    tests: RUN,
  },
  {
    invariant: 5,
    guard: "leadership is confirmed before each attempt to write",
    file: "runtime/src/store/privileged-writes.ts",
    find: "await confirmLeader(signal);\n        try {",
    replace: "try {",
    tests: WRITES,
  },
  {
    invariant: 5,
    guard: "leadership is confirmed between the claim and the write",
    file: "runtime/src/store/privileged-writes.ts",
    find: "await writer.claim(signal);\n      await confirmLeader(signal);",
    replace: "await writer.claim(signal);",
    tests: WRITES,
  },
];
