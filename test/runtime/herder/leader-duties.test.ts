import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ConnectError } from "#runtime/errors.ts";
import { runLeaderDuties } from "#runtime/herder/leader-duties.ts";
import { FakeConfigStore, FakeMember, FakeStatusStore, idle, silent, until } from "./fakes.ts";

describe("leader duties", () => {
  let configStore: FakeConfigStore;
  let statusStore: FakeStatusStore;
  let member: FakeMember;
  let end: AbortController;
  let ended: Promise<void>;

  const begin = () => {
    ended = runLeaderDuties(
      {
        configStore,
        statusStore,
        member: () => member,
        keys: {
          ttlMs: 60_000,
          generationAlgorithm: "HmacSHA256",
          keyBits: null,
          signatureAlgorithm: "HmacSHA256",
          verificationAlgorithms: ["HmacSHA256"],
        },
        wallClock: () => 1_000,
        log: silent,
      },
      end.signal,
    );
  };
  const running = { state: "RUNNING", workerId: "w", generation: 1, trace: null, version: null } as const;

  beforeEach(() => {
    configStore = new FakeConfigStore();
    statusStore = new FakeStatusStore();
    member = new FakeMember();
    end = new AbortController();
  });
  afterEach(async () => {
    end.abort();
    await ended;
  });

  it("a leader writes a session key once", async () => {
    begin();
    await until("key", () => configStore.config().sessionKey !== null);
    statusStore.putConnector("ghost", running);
    await until("looked again", () => statusStore.connector("ghost") === null);
    assert.deepEqual(configStore.privilegedWrites, ["putSessionKey"]);
  });

  it("writes no key before it has confirmed its membership", async () => {
    member.onConfirm = async () => {
      throw new ConnectError("rebalance", "no");
    };
    begin();
    await until("asked", () => member.confirms > 0);
    await idle();
    assert.deepEqual(configStore.privilegedWrites, []);
  });

  it("a follower does nothing until it leads", async () => {
    member.change({ isLeader: false });
    statusStore.putConnector("ghost", running);
    begin();
    await idle();
    assert.equal(configStore.config().sessionKey, null);
    member.change({ isLeader: true });
    await until(
      "duties done",
      () => configStore.config().sessionKey !== null && statusStore.connector("ghost") === null,
    );
  });

  it("needs no key below protocol version 2", async () => {
    member.change({ protocolVersion: 1 });
    statusStore.putConnector("ghost", running);
    begin();
    await until("ghost gone", () => statusStore.connector("ghost") === null);
    assert.equal(configStore.config().sessionKey, null);
  });
});
