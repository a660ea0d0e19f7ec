import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLogRecorder } from "@headrace/sdk/testing";
import type { Client } from "pg";
import { BlockingSnapshot } from "../../../connectors/postgres/src/blocking/blocking-snapshot.ts";
import { Changes } from "../../../connectors/postgres/src/capture/changes.ts";
import { Follower } from "../../../connectors/postgres/src/capture/follower.ts";
import { Heartbeat } from "../../../connectors/postgres/src/capture/heartbeat.ts";
import type { Message } from "../../../connectors/postgres/src/capture/pgoutput.ts";
import { Retention } from "../../../connectors/postgres/src/capture/retention.ts";
import { SETTINGS } from "../../../connectors/postgres/src/capture/settings.ts";
import { IncrementalSnapshot } from "../../../connectors/postgres/src/incremental/incremental-snapshot.ts";
import {
  advanced,
  fromEntries,
  IDLE,
  joined,
  type Progress,
  stopped,
  toEntries,
} from "../../../connectors/postgres/src/incremental/progress.ts";
import { SeenTransactions, Window } from "../../../connectors/postgres/src/incremental/window.ts";
import { parseSignal } from "../../../connectors/postgres/src/signals/signal.ts";
import { Signals } from "../../../connectors/postgres/src/signals/signals.ts";
import { createTypeCatalog } from "../../../connectors/postgres/src/types/pg-type.ts";

describe("signals", () => {
  it("ask for tables, with the conditions of each", () => {
    const data = {
      "data-collections": ["public[.]a", "public.b"],
      type: "INCREMENTAL",
      "additional-conditions": [{ "data-collection": "public.b", filter: "n > 1" }],
    };
    assert.deepEqual(parseSignal("execute-snapshot", JSON.stringify(data)), {
      kind: "execute",
      blocking: false,
      patterns: ["public[.]a", "public.b"],
      conditions: [{ pattern: "public.b", filter: "n > 1" }],
    });
    assert.deepEqual(parseSignal("stop-snapshot", null), { kind: "stop", patterns: [] });
    assert.deepEqual(parseSignal("pause-snapshot", "{}"), { kind: "pause" });
    assert.deepEqual(parseSignal("resume-snapshot", ' {"type":"incremental"}'), { kind: "resume" });
    assert.deepEqual(parseSignal("log", '{"message":"hello"}'), { kind: "log", message: "hello" });
  });

  const unusable: readonly (readonly [string, string | null, RegExp])[] = [
    ["execute-snapshot", null, /data-collections/],
    ["execute-snapshot", '{"data-collections":[]}', /names no table/],
    ["execute-snapshot", '{"data-collections":["a"],"type":"full"}', /incremental or blocking/],
    ["stop-snapshot", '{"type":"blocking"}', /only incremental/],
    ["execute-snapshot", '{"data-collections":["a"],"surrogate-key":"x"}', /primary key/],
    ["execute-snapshot", '{"data-collections":["("]}', /./],
    ["execute-snapshot", '{"data-collections":["a"],"additional-condition":"n > 1"}', /use additional-conditions/],
    [
      "execute-snapshot",
      '{"data-collections":["a"],"additional-conditions":[{"data-collection":"(","filter":"n > 1"}]}',
      /./,
    ],
    ["execute-snapshot", "{", /JSON/],
    ["log", "{}", /message/],
    ["restart", "{}", /there are execute-snapshot/],
  ];
  for (const [type, data, reason] of unusable) {
    it(`cannot be followed, and say why: ${type} ${data}`, () => {
      const signal = parseSignal(type, data);
      assert.ok(signal.kind === "unusable");
      assert.match(signal.reason, reason);
    });
  }
});

describe("progress of an incremental snapshot", () => {
  const table = (name: string) => ({ name, filter: null });
  const running: Progress = { tables: [table("a"), table("b")], last: ["1"], greatest: ["9"], paused: true };

  it("is the same after a restart", () => {
    assert.deepEqual(fromEntries({ commit: 1, ...toEntries(running) }), running);
    assert.deepEqual(fromEntries({ commit: 1, ...toEntries(IDLE) }), IDLE);
    assert.deepEqual(toEntries(IDLE), {});
    assert.throws(() => fromEntries({ incremental_snapshot_collections: "x" }), /leave them out/);
  });

  it("takes tables once with the same condition", () => {
    const some = { name: "b", filter: "n > 1" };
    assert.deepEqual(joined(running.tables, [table("b"), some, table("c")]), [...running.tables, some, table("c")]);
  });

  it("goes on with the next table when one is done or stopped, and ends with the last", () => {
    const next = { tables: [table("b")], last: null, greatest: null, paused: true };
    assert.deepEqual(advanced(running), next);
    assert.deepEqual(stopped(running, ["a"]), next);
    assert.deepEqual(stopped(running, ["b"]), { ...running, tables: [table("a")] });
    assert.deepEqual(stopped(running, []), IDLE);
    assert.deepEqual(stopped(running, ["."]), IDLE);
    assert.deepEqual(advanced(next), IDLE);
  });
});

describe("Window", () => {
  it("keeps what the stream has not changed, in its order, until the stream has passed", () => {
    const window = new Window(
      ["a", "b", "c"].map((key) => ({ key, row: key })),
      10n,
    );
    window.changed("b");
    window.changed("x");
    assert.deepEqual([window.isOver(9n), window.isOver(10n)], [false, true]);
    assert.deepEqual(window.rows(), ["a", "c"]);
    window.changed(null);
    assert.deepEqual(window.rows(), []);
  });
});

describe("SeenTransactions", () => {
  const cases: readonly (readonly [string, readonly number[], string, boolean])[] = [
    ["none", [], "10:10:", true],
    ["all have ended", [8, 9], "10:10:", true],
    ["one is running still", [8, 9], "8:10:8", false],
    ["one has not begun yet, as the snapshot sees it", [9, 10], "9:10:", false],
    ["others are running", [9], "8:12:8,11", true],
    ["numbers of 64 bits", [9], "4294967304:4294967306:4294967305", false],
    ["numbers have gone round: before", [4_294_967_290], "4294967299:4294967299:", true],
    ["numbers have gone round: behind", [5], "4294967290:4294967290:", false],
    ["one has ended more than half of all numbers ago", [5], "2200000000:2200000000:", true],
  ];
  for (const [name, seen, snapshot, wanted] of cases) {
    it(`are visible in a snapshot or not: ${name}`, () => {
      const transactions = new SeenTransactions();
      for (const xid of seen) transactions.add(xid);
      assert.equal(transactions.areVisibleIn(snapshot), wanted);
    });
  }
});

const settings = SETTINGS.parse({
  "database.hostname": "db",
  "database.user": "u",
  "database.dbname": "d",
  "topic.prefix": "p",
  "signal.data.collection": "public.signals",
  "table.include.list": "public[.]a",
});

describe("Retention (invariant 1)", () => {
  const told: bigint[] = [];
  const stream = {
    read: () => null,
    ready: async () => {},
    acknowledge: (flushed: bigint) => {
      told.push(flushed);
    },
  };
  const open = (isAllowed = true) => new Retention(isAllowed);
  const flushed = (retention: Retention) => {
    retention.tell(stream);
    return told.at(-1);
  };

  it("lets PostgreSQL forget nothing before the stream's first offset is stored", () => {
    const retention = open(false);
    retention.mark(5n, () => "");
    assert.equal(flushed(retention), 0n);
    retention.allow();
    assert.equal(flushed(retention), 5n);
  });

  it("keeps a signal until an offset has what it asks for", () => {
    const retention = open();
    retention.mark(5n, () => "before");
    retention.hold("before");
    retention.mark(10n, () => "now");
    assert.equal(flushed(retention), 5n);
    retention.give(1);
    retention.mark(15n, () => "now");
    assert.equal(flushed(retention), 5n);
    retention.commit(1);
    assert.equal(flushed(retention), 15n);
  });

  it("forgets a signal that is over before there was a record", () => {
    const retention = open();
    retention.hold("before");
    retention.mark(10n, () => "now");
    assert.equal(flushed(retention), 0n);
    retention.mark(20n, () => "before");
    assert.equal(flushed(retention), 20n);
  });
});

describe("Follower", () => {
  const column = (name: string) => ({ name, isKey: name === "id", type: 25, modifier: -1 });
  const columns = ["id", "type", "data"].map(column);
  const messages: readonly Message[] = [
    { kind: "begin", commitLsn: 30n, committedAt: 0n, xid: 7 },
    { kind: "relation", relation: { id: 1, schema: "public", table: "signals", identity: "d", columns } },
    { kind: "insert", relation: 1, after: ["1", "execute-snapshot", '{"data-collections": ["public[.]a"]}'] },
    { kind: "commit", commitLsn: 30n, endLsn: 40n },
  ];

  /** The connection, which breaks at the first question. */
  function brokenOnce(): Client {
    let asked = 0;
    const answers = [
      [{ schema: "public", table: "a", root: false }],
      [{ oid: 1, schema: "public", table: "a", isRoot: false, isPartition: false }],
    ];
    const query = async () => {
      asked += 1;
      if (asked === 1) throw new Error("Connection terminated unexpectedly");
      return { rows: answers[asked - 2] ?? [] };
    };
    return { query } as unknown as Client;
  }

  it("takes a signal again whose connection broke before it was understood", async () => {
    const told: bigint[] = [];
    const log = createLogRecorder();
    const types = createTypeCatalog();
    const retention = new Retention(true);
    const incremental = new IncrementalSnapshot({ settings, types, log, progress: IDLE, now: Date.now });
    const blocking = new BlockingSnapshot({
      settings,
      types,
      log,
      tables: [],
      now: Date.now,
      open: () => Promise.reject(new Error("no connection is wanted")),
      close: async () => {},
    });
    const signals = new Signals({ settings, log, incremental, blocking });
    const control = brokenOnce();
    let position = { commit: 10n, event: 0, part: 0 };
    async function follow(): Promise<void> {
      const left = messages.map((message) => ({ kind: "message" as const, lsn: 20n, end: 50n, message }));
      const stream = {
        read: () => left.shift() ?? null,
        ready: async () => {},
        acknowledge: (flushed: bigint) => void told.push(flushed),
      };
      const changes = new Changes({ rules: settings, database: "d", position, lastCommit: null, now: Date.now });
      const heartbeat = new Heartbeat(settings, performance.now());
      const push = (records: readonly unknown[]) => retention.give(records.length);
      const parts = {
        settings,
        types,
        log,
        database: "d",
        stream,
        changes,
        control,
        retention,
        incremental,
        blocking,
        signals,
        heartbeat,
        push,
      };
      try {
        await new Follower(parts).next(100, 0, AbortSignal.timeout(60_000));
      } finally {
        position = changes.position();
        retention.tell(stream);
      }
    }
    await assert.rejects(follow(), /terminated/);
    assert.deepEqual(incremental.entries(), {});
    await follow();
    assert.match(String(incremental.entries()["incremental_snapshot_collections"]), /public\.a/);
    assert.deepEqual(told, [0n, 0n], "no offset knows of it yet");
  });
});
