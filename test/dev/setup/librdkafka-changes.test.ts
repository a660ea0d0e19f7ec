import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { changeLibrdkafka } from "#dev/setup/librdkafka-changes.ts";

const FOLDER = join(repoRoot, "node_modules/node-rdkafka/deps/librdkafka/src");

describe("changes of librdkafka", () => {
  let sources: string;
  before(async () => {
    sources = await mkdtemp(join(tmpdir(), "headrace-librdkafka-"));
    await cp(FOLDER, join(sources, "src"), { recursive: true });
  });
  after(() => rm(sources, { recursive: true, force: true }));

  it("fit the version that we build, and are made once only", async () => {
    await changeLibrdkafka(sources);
    assert.match(await readFile(join(sources, "src/rdkafka_broker.c"), "utf8"), /STATE_UP && !awaits_acks/);
    assert.match(await readFile(join(sources, "src/rdkafka_msg.c"), "utf8"), /\nint headrace_produce_run\(/);
    await assert.rejects(changeLibrdkafka(sources), /is not as it was/);
  });
});
