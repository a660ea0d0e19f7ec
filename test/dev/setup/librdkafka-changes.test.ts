import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { changeLibrdkafka } from "#dev/setup/librdkafka-changes.ts";

const FILE = "src/rdkafka_broker.c";

describe("changes of librdkafka", () => {
  let sources: string;
  before(async () => {
    sources = await mkdtemp(join(tmpdir(), "headrace-librdkafka-"));
    await mkdir(join(sources, "src"));
    await cp(join(repoRoot, "node_modules/node-rdkafka/deps/librdkafka", FILE), join(sources, FILE));
  });
  after(() => rm(sources, { recursive: true, force: true }));

  it("fit the version that we build, and are made once only", async () => {
    await changeLibrdkafka(sources);
    assert.match(await readFile(join(sources, FILE), "utf8"), /STATE_UP && !awaits_acks/);
    await assert.rejects(changeLibrdkafka(sources), /is not as it was/);
  });
});
