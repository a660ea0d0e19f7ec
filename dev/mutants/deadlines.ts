import type { Mutant } from "./mutant.ts";

/** Guards of waiting: everything has a deadline or a signal. */
export const DEADLINE_MUTANTS: readonly Mutant[] = [
  {
    invariant: 7,
    guard: "a REST request answers when its time is over",
    file: "runtime/src/herder/request-scope.ts",
    find: "const expire = () => setImmediate(() => expired.reject(timedOut()));",
    replace: "const expire = () => {};",
    tests: ["test/runtime/rest/rest.test.ts"],
  },
  {
    invariant: 7,
    guard: "the operator's calls and reconciles end at their deadline",
    file: "src/deadline.ts",
    find: "() => bounded.abort(new DOMException(",
    replace: "() => void (new DOMException(",
    tests: ["test/operator/deadline.test.ts"],
  },
  {
    invariant: 7,
    guard: "the operator's calls end with the signal of their caller",
    file: "src/deadline.ts",
    find: 'signal.addEventListener("abort", abort, { once: true });',
    replace: "",
    tests: ["test/operator/deadline.test.ts"],
  },
  {
    invariant: 7,
    guard: "a round does not wait for the config topic for ever",
    file: "runtime/src/group/config-sync.ts",
    find: "AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])",
    replace: "signal",
    tests: ["test/runtime/group/config-sync.test.ts"],
  },
  {
    invariant: 7,
    guard: "a stop ends at its deadline, with its executor",
    file: "runtime/src/executor/pool.ts",
    find: "AbortSignal.timeout(timeoutMs + STOP_MARGIN_MS)",
    replace: "AbortSignal.timeout(2 ** 31 - 1)",
    tests: ["test/runtime/executor-pool/pool.test.ts"],
  },
  {
    invariant: 7,
    guard: "a call to an executor ends with its caller's signal",
    file: "runtime/src/executor/rpc.ts",
    find: 'signal.addEventListener("abort", giveUp, { once: true });',
    replace: "",
    tests: ["test/runtime/executor/rpc.test.ts"],
  },
  {
    invariant: 7,
    guard: "a call to an executor ends when the executor does",
    file: "runtime/src/executor/rpc.ts",
    find: "for (const waiting of pending.values()) waiting.reject(gone);",
    replace: "",
    tests: ["test/runtime/executor/rpc.test.ts"],
  },
  {
    invariant: 7,
    guard: "a reconcile ends at its deadline",
    file: "src/controller/controller.ts",
    find: "return await withDeadline(timeoutMs, (bounded) => reconcile(key, bounded), signal);",
    replace: "return await reconcile(key, signal);",
    tests: ["test/operator/controller/controller.test.ts"],
  },
];
