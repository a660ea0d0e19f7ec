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
  let nowMs: number;

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
        wallClock: () => nowMs,
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
    nowMs = 1_000;
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

  it("removes the active topics of a deleted connector", async () => {
    statusStore.putTopic("ghost", "lines");
    begin();
    await until("topics gone", () => statusStore.topics("ghost").length === 0);
  });

  it("writes a new key when the present one is too old", async () => {
    begin();
    await until("key", () => configStore.config().sessionKey !== null);
    const first = configStore.config().sessionKey;
    nowMs += 59_999;
    statusStore.putConnector("ghost", running);
    await until("looked again", () => statusStore.connector("ghost") === null);
    assert.equal(configStore.config().sessionKey, first);
    nowMs += 1;
    statusStore.putConnector("ghost", running);
    await until("another key", () => configStore.config().sessionKey !== first);
  });

  it("removes no status before it has confirmed its membership, and looks again after that", async () => {
    statusStore.putConnector("ghost", running);
    statusStore.putConnector("back", running);
    const confirmed = Promise.withResolvers<void>();
    member.onConfirm = () => confirmed.promise;
    begin();
    await until("asked", () => member.confirms > 0);
    await idle();
    assert.deepEqual(statusStore.log, ["ghost RUNNING", "back RUNNING"]);
    await configStore.putConnector("back", {}, null);
    confirmed.resolve();
    await until("ghost gone", () => statusStore.connector("ghost") === null);
    await idle();
    assert.notEqual(statusStore.connector("back"), null);
  });

  it("writes no key and removes nothing if its membership cannot be confirmed", async () => {
    statusStore.putConnector("ghost", running);
    member.onConfirm = async () => {
      throw new ConnectError("rebalance", "no");
    };
    begin();
    await until("asked", () => member.confirms > 0);
    await idle();
    assert.deepEqual(configStore.privilegedWrites, []);
    assert.notEqual(statusStore.connector("ghost"), null);
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
