import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { NULL_VALUE, type SinkRecord, STRING_SCHEMA, Utf8Text, type Value } from "@headrace/sdk";
import { fileSink } from "#runtime/connectors/file-sink.ts";
import { sinkContext } from "#support/connector-contexts.ts";

const signal = new AbortController().signal;

function record(value: Value): SinkRecord {
  const where = { topic: "t", partition: 0, offset: 0n };
  return { ...where, key: NULL_VALUE, value: { schema: null, value }, headers: [], timestamp: null, original: where };
}

describe("file sink", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-file-sink-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it("appends a line per record; when put returns, readers see it", async () => {
    const file = join(dir, "out.txt");
    await writeFile(file, "before\n");
    const task = await fileSink.openTask(fileSink.config.parse({ file }), sinkContext().context, signal);
    await task.put([record("grüße"), record(5), record({ a: 1 }), record(null)], signal);
    assert.equal(await readFile(file, "utf8"), "before\ngrüße\n5\n{a=1}\nnull\n");
    await task.flush?.(signal);
    await task.close();
  });

  it("writes text that is bytes as it is, alone and among others", async () => {
    const file = join(dir, "bytes.txt");
    const task = await fileSink.openTask(fileSink.config.parse({ file }), sinkContext().context, signal);
    const bytes = Buffer.from("one,grüße,,long and longer");
    const text = (start: number, end: number) => {
      const value = new Utf8Text(STRING_SCHEMA, bytes, start, end);
      return { ...record(null), value };
    };
    await task.put([text(0, 3), text(4, 11)], signal);
    await task.put([text(13, 28)], signal);
    await task.put([], signal);
    await task.put([text(12, 12), text(0, 3)], signal);
    await task.put([text(4, 11), record("string"), text(0, 3)], signal);
    assert.equal(await readFile(file, "utf8"), "one\ngrüße\nlong and longer\n\none\ngrüße\nstring\none\n");
    await task.close();
  });

  it("fails where it cannot write", async () => {
    const config = fileSink.config.parse({ file: join(dir, "no", "such", "folder") });
    await assert.rejects(fileSink.openTask(config, sinkContext().context, signal), /ENOENT/);
  });
});
