import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError } from "@headrace/sdk";
import { connectRpc, type Handlers, type Rpc } from "#runtime/executor/rpc.ts";
import { createPortPair } from "#support/message-ports.ts";

interface Calls {
  double: { args: number; result: number };
  fail: { args: string; result: null };
  hang: { args: null; result: null };
}
type None = Record<never, never>;

function connect(handlers: Partial<Handlers<Calls>> = {}) {
  const ports = createPortPair();
  const notices: string[] = [];
  const caller: Rpc<Calls, string> = connectRpc<Calls, string, None, never>({
    port: ports.left,
    handlers: {},
    onNotice: () => {},
  });
  connectRpc<None, never, Calls, string>({
    port: ports.right,
    handlers: {
      double: (n) => n * 2,
      fail: (message) => {
        throw new ConfigError(message);
      },
      hang: () => new Promise(() => {}),
      ...handlers,
    },
    onNotice: (notice) => notices.push(notice),
  });
  return { caller, notices, close: ports.close };
}

const never = new AbortController().signal;

describe("rpc", () => {
  it("answers calls, each with its own result", async () => {
    const { caller } = connect();
    assert.deepEqual(await Promise.all([1, 2, 3].map((n) => caller.call("double", n, never))), [2, 4, 6]);
  });

  it("delivers notices before the reply of a later call", async () => {
    const { caller, notices } = connect();
    caller.notify("one");
    caller.notify("two");
    await caller.call("double", 1, never);
    assert.deepEqual(notices, ["one", "two"]);
  });

  it("carries errors with code, message and the remote stack", async () => {
    const { caller } = connect();
    await assert.rejects(caller.call("fail", "no such key", never), (error: Error & { code?: string }) => {
      assert.equal(error.code, "config-invalid");
      assert.equal(error.message, "no such key");
      assert.match(error.stack ?? "", /ConfigError: no such key\n\s+at fail/);
      return true;
    });
  });

  it("rejects pending and later calls when the port closes", async () => {
    const { caller, close } = connect();
    const pending = caller.call("hang", null, never);
    close();
    await assert.rejects(pending, { code: "executor-gone" });
    await assert.rejects(caller.call("double", 1, never), { code: "executor-gone" });
    assert.equal(caller.closed.aborted, true);
  });

  it("rejects when its signal aborts and tells the other side", async () => {
    const cancelled = Promise.withResolvers<void>();
    const { caller } = connect({
      hang: (_, signal) =>
        new Promise(() => {
          signal.addEventListener("abort", () => cancelled.resolve());
        }),
    });
    const controller = new AbortController();
    const pending = caller.call("hang", null, controller.signal);
    const refused = assert.rejects(pending, /enough/);
    await caller.call("double", 1, never);
    controller.abort(new Error("enough"));
    await refused;
    await cancelled.promise;
  });

  it("aborts handlers when the port closes", async () => {
    const aborted = Promise.withResolvers<void>();
    const { caller, close } = connect({
      hang: (_, signal) =>
        new Promise(() => {
          signal.addEventListener("abort", () => aborted.resolve());
        }),
    });
    const pending = caller.call("hang", null, never);
    await caller.call("double", 1, never);
    close();
    await assert.rejects(pending);
    await aborted.promise;
  });

  it("refuses names it does not know", async () => {
    const ports = createPortPair();
    const caller = connectRpc<Calls, never, None, never>({ port: ports.left, handlers: {}, onNotice: () => {} });
    connectRpc<None, never, None, never>({ port: ports.right, handlers: {}, onNotice: () => {} });
    await assert.rejects(caller.call("double", 1, never), /unknown call double/);
  });
});
