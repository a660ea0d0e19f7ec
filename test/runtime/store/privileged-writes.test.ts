import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectError } from "#runtime/errors.ts";
import type { NewRecord } from "#runtime/kafka/topic-log.ts";
import type { TransactionalWriter } from "#runtime/kafka/transactional-writer.ts";
import { createPrivilegedWrites } from "#runtime/store/privileged-writes.ts";
import { createSilentLog } from "#support/silent-log.ts";

const signal = AbortSignal.timeout(10_000);
const RECORD = { key: Buffer.from("k"), value: Buffer.from("v") };

/** The transactional id and its topic; each writer is another worker. */
function createTransactionalId() {
  let holder: object | null = null;
  const written: string[] = [];
  return {
    written,
    open(name: string, hooks: { beforeWrite?: () => void; refuse?: () => Error | null } = {}) {
      const self = { name };
      let held = false;
      const writer: TransactionalWriter = {
        async claim() {
          holder = self;
          held = true;
        },
        holds: () => held,
        async append(records: readonly NewRecord[]) {
          hooks.beforeWrite?.();
          const refusal = hooks.refuse?.() ?? null;
          if (refusal !== null || holder !== self) {
            held = false;
            throw refusal ?? Object.assign(new Error("fenced"), { type: "INVALID_PRODUCER_EPOCH" });
          }
          written.push(...records.map(() => name));
        },
        close: () => {},
      };
      return writer;
    },
  };
}

const privileged = (writer: TransactionalWriter, confirmLeader: () => Promise<void>) =>
  createPrivilegedWrites({ writer, confirmLeader, log: createSilentLog(), pause: async () => {} });

describe("privileged writes", () => {
  it("claim before the first write, and keep the privilege", async () => {
    const id = createTransactionalId();
    let claims = 0;
    const writer = id.open("a");
    const counting = {
      ...writer,
      claim: async () => {
        claims += 1;
        await writer.claim(signal);
      },
    };
    const writes = privileged(counting, async () => {});
    await writes.append([RECORD], signal);
    await writes.append([RECORD], signal);
    assert.deepEqual(id.written, ["a", "a"]);
    assert.equal(claims, 1);
  });

  it("recover from a foreign producer with the same id", async () => {
    const id = createTransactionalId();
    const writes = privileged(id.open("a"), async () => {});
    await writes.append([RECORD], signal);
    await id.open("foreign").claim(signal);
    await writes.append([RECORD], signal);
    assert.deepEqual(id.written, ["a", "a"]);
  });

  it("of a former leader end where it is fenced (invariant 5)", async () => {
    const id = createTransactionalId();
    let leads = true;
    const newWriter = id.open("new");
    const old = privileged(
      id.open("old", {
        // It is frozen after its last look at its membership; meanwhile another one leads.
        beforeWrite: () => {
          if (!leads) return;
          leads = false;
          void newWriter.claim(signal);
        },
      }),
      async () => {
        if (!leads) throw new ConnectError("rebalance", "not the leader");
      },
    );
    const successor = privileged(newWriter, async () => {});
    await assert.rejects(old.append([RECORD], signal), { code: "rebalance" });
    await successor.append([RECORD], signal);
    assert.deepEqual(id.written, ["new"]);
  });

  it("of a former leader end although nobody has taken its privilege yet (guard: confirmLeader before each attempt)", async () => {
    const id = createTransactionalId();
    let leads = true;
    const writes = privileged(id.open("a"), async () => {
      if (!leads) throw new ConnectError("rebalance", "not the leader");
    });
    await writes.append([RECORD], signal);
    leads = false;
    await assert.rejects(writes.append([RECORD], signal), { code: "rebalance" });
    assert.deepEqual(id.written, ["a"]);
  });

  it("write nothing when leadership was lost while the privilege was taken (guard: confirmLeader after claim)", async () => {
    const id = createTransactionalId();
    let leads = true;
    const writer = id.open("a");
    const slow = {
      ...writer,
      claim: async () => {
        leads = false;
        await writer.claim(signal);
      },
    };
    const writes = privileged(slow, async () => {
      if (!leads) throw new ConnectError("rebalance", "not the leader");
    });
    await assert.rejects(writes.append([RECORD], signal), { code: "rebalance" });
    assert.deepEqual(id.written, []);
  });

  it("do not repeat what another try does not change", async () => {
    const id = createTransactionalId();
    let tries = 0;
    const refuse = () => {
      tries += 1;
      return Object.assign(new Error("no right"), { type: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" });
    };
    const writes = privileged(id.open("a", { refuse }), async () => {});
    await assert.rejects(writes.append([RECORD], signal), { code: "kafka" });
    assert.equal(tries, 1);
  });
});
