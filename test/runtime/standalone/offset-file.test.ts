import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { createMemoryLog } from "#runtime/standalone/memory-log.ts";
import { createOffsetBacking } from "#runtime/standalone/offset-backing.ts";
import { readOffsetFile, writeOffsetFile } from "#runtime/standalone/offset-file.ts";

const signal = AbortSignal.timeout(60_000);
const bytes = (text: string) => Buffer.from(text);

describe("the offset file", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-offsets-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  it("has no entries while it is missing or empty", async () => {
    assert.deepEqual(await readOffsetFile(join(dir, "missing")), []);
    writeFileSync(join(dir, "empty"), "");
    assert.deepEqual(await readOffsetFile(join(dir, "empty")), []);
  });

  it("is not taken for empty when it is damaged", async () => {
    const file = join(dir, "damaged");
    await writeOffsetFile(file, [[bytes("k"), bytes("v")]]);
    writeFileSync(file, readFileSync(file).subarray(0, 60));
    await assert.rejects(readOffsetFile(file), {
      code: "config-invalid",
      message: /offset\.storage\.file\.filename=.*damaged is no offset file.*at byte \d+.*Restore it from a copy/,
    });
  });

  it("is replaced in one step, also behind a link, and leaves nothing else behind", async () => {
    const place = join(dir, "place");
    mkdirSync(place);
    symlinkSync("real", join(place, "link"));
    writeFileSync(join(place, "real"), "");
    await writeOffsetFile(join(place, "link"), [[bytes("k"), null]]);
    assert.deepEqual(await readOffsetFile(join(place, "real")), [[bytes("k"), null]]);
    assert.deepEqual(readdirSync(place).sort(), ["link", "real"]);
  });

  it("says when it cannot be written", async () => {
    await assert.rejects(writeOffsetFile(join(dir, "nowhere", "file"), []), {
      code: "unavailable",
      message: /cannot be written: .*ENOENT/,
    });
  });

  it("is a log's memory: what was appended is there for the next one, tombstones included", async () => {
    const file = join(dir, "log");
    const first = createMemoryLog(() => 7, createOffsetBacking(file));
    const heard: string[] = [];
    await first.start((records) => heard.push(...records.map(({ key, value }) => `${key}=${value}`)), signal);
    const both = [
      { key: bytes("a"), value: bytes("1") },
      { key: bytes("b"), value: bytes("2") },
    ];
    await Promise.all([
      first.append(both, null, signal),
      first.append([{ key: bytes("a"), value: null }], null, signal),
    ]);
    assert.deepEqual(heard, ["a=1", "b=2", "a=null"]);
    await first.stop();
    assert.deepEqual(await readOffsetFile(file), [
      [bytes("a"), null],
      [bytes("b"), bytes("2")],
    ]);
    const second = createMemoryLog(() => 8, createOffsetBacking(file));
    const read: string[] = [];
    await second.start((records) => read.push(...records.map(({ key, value }) => `${key}=${value}`)), signal);
    assert.deepEqual(read, ["a=null", "b=2"]);
  });

  it("can be read to its end while a record is about to be written, and keeps the order of the calls", async () => {
    const log = createMemoryLog(() => 7);
    const heard: string[] = [];
    await log.start((records) => heard.push(...records.map(({ key }) => String(key))), signal);
    const before = async () => {
      await log.readToEnd(signal);
      heard.push("before a");
    };
    await Promise.all([
      log.append([{ key: bytes("a"), value: null }], before, signal),
      log.append([{ key: bytes("b"), value: null }], null, signal),
    ]);
    assert.deepEqual(heard, ["before a", "a", "b"]);
    await log.stop();
  });

  it("does not deliver what could not be saved", async () => {
    const log = createMemoryLog(() => 7, createOffsetBacking(join(dir, "absent", "file")));
    const heard: unknown[] = [];
    await log.start((records) => heard.push(...records), signal);
    await assert.rejects(log.append([{ key: bytes("a"), value: null }], null, signal), { code: "unavailable" });
    await log.readToEnd(signal);
    assert.deepEqual(heard, []);
  });
});
