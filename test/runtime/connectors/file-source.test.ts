import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { OffsetMap, SourceTask } from "@headrace/sdk";
import { fileSource } from "#runtime/connectors/file-source.ts";
import { pollUntil, sourceContext } from "#support/connector-contexts.ts";

const signal = new AbortController().signal;

describe("file source", () => {
  let dir: string;
  const open: SourceTask[] = [];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-file-source-"));
  });
  after(async () => {
    for (const task of open) await task.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function openFile(file: string, offset: OffsetMap | null = null, more: Record<string, string> = {}) {
    const { context, log } = sourceContext(() => offset);
    const config = fileSource.config.parse({ file, topic: "t", ...more });
    const task = await fileSource.openTask(config, context, signal);
    open.push(task);
    return { task, log };
  }

  it("gives a record per line, with the byte position behind it", async () => {
    const file = join(dir, "bytes.txt");
    await writeFile(file, "grüße\nx\nunfinished");
    const { task } = await openFile(file);
    const records = await pollUntil(task, 2);
    assert.deepEqual(
      records.map((record) => [record.topic, record.value.value, record.sourcePartition, record.sourceOffset]),
      [
        ["t", "grüße", { filename: file }, { position: 8 }],
        ["t", "x", { filename: file }, { position: 10 }],
      ],
    );
  });

  it("goes on behind a stored position, also one that came back as a 64-bit integer", async () => {
    const file = join(dir, "resume.txt");
    await writeFile(file, "grüße\nx\n");
    for (const position of [8, 8n]) {
      const { task } = await openFile(file, { position });
      assert.deepEqual(
        (await pollUntil(task, 1)).map((record) => record.value.value),
        ["x"],
      );
    }
  });

  it("follows a growing file and finishes a line that was cut", async () => {
    const file = join(dir, "grow.txt");
    await writeFile(file, "a\nb");
    const { task } = await openFile(file);
    assert.equal((await pollUntil(task, 1)).length, 1);
    await appendFile(file, "c\r\n");
    assert.deepEqual(
      (await pollUntil(task, 1)).map((record) => [record.value.value, record.sourceOffset["position"]]),
      [["bc", 6]],
    );
  });

  it("waits for a file that is not there, and warns once", async () => {
    const file = join(dir, "late.txt");
    const { task, log } = await openFile(file);
    const stop = new AbortController();
    const waiting = task.poll(stop.signal);
    stop.abort();
    assert.deepEqual(await waiting, []);
    await writeFile(file, "here\n");
    assert.equal((await pollUntil(task, 1)).length, 1);
    assert.deepEqual(
      log.lines.filter((line) => line.startsWith("warn")),
      ["warn file not found, waiting for it"],
    );
  });

  it("gives at most batch.size records at a time", async () => {
    const file = join(dir, "batches.txt");
    await writeFile(file, "1\n2\n3\n4\n5\n");
    const { task } = await openFile(file, null, { "batch.size": "2" });
    const sizes = [];
    for (let poll = 0; poll < 3; poll += 1) sizes.push((await task.poll(signal)).length);
    assert.deepEqual(sizes, [2, 2, 1]);
  });

  it("reads lines that are longer than what it reads at a time", async () => {
    const file = join(dir, "long.txt");
    const long = "x".repeat(700_000);
    await writeFile(file, `${long}\nend\n`);
    const { task } = await openFile(file);
    const records = await pollUntil(task, 2);
    assert.deepEqual(
      records.map((record) => String(record.value.value).length),
      [700_000, 3],
    );
  });

  it("plans one task, and refuses an offset that is none", async () => {
    assert.deepEqual(await fileSource.planTasks(fileSource.config.parse({ topic: "t" }), 5, signal), [{}]);
    await assert.rejects(openFile("x", { position: "12" }), /Offset position is 12/);
    const config = fileSource.config.parse({ file: "f", topic: "t" });
    const alter = (partition: OffsetMap, offset: OffsetMap | null) =>
      fileSource.alterOffsets?.(config, [{ partition, offset }]);
    assert.equal(alter({ filename: "f" }, { position: 3 }), true);
    assert.equal(alter({ filename: "f" }, null), true);
    assert.equal(alter({ filename: "of before" }, null), true);
    assert.equal(alter({ filename: "of later" }, { position: 3 }), true);
    assert.throws(() => alter({ name: "f" }, { position: 3 }), /A partition of this connector is/);
    assert.throws(() => alter({ filename: "f" }, { position: -1 }), /at least 0/);
  });
});
