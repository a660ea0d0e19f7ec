import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ConfigError } from "@headrace/sdk";
import { writeRack } from "#runtime/rack.ts";

describe("the rack of a node", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "headrace-rack-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const signal = new AbortController().signal;
  const request = () => ({
    node: "node-1",
    label: "example.com/rack",
    file: join(dir, "rack"),
    messageFile: join(dir, "message"),
  });
  const api = (labels?: Readonly<Record<string, string>>) => ({
    asked: [] as string[],
    async get(path: string): Promise<unknown> {
      this.asked.push(path);
      return { metadata: { name: "node-1", ...(labels === undefined ? {} : { labels }) } };
    },
  });

  it("is its label, written as it is", async () => {
    const reader = api({ "example.com/rack": "r7", other: "x" });
    assert.equal(await writeRack(reader, request(), signal), "r7");
    assert.equal(readFileSync(join(dir, "rack"), "utf8"), "r7");
    assert.deepEqual(reader.asked, ["/api/v1/nodes/node-1"]);
    assert.equal(existsSync(join(dir, "message")), false);
  });

  it("is nothing where it has no such label, which is told where the kubelet looks", async () => {
    for (const labels of [undefined, { other: "x" }, { "example.com/rack": "" }]) {
      writeFileSync(join(dir, "message"), "");
      assert.equal(await writeRack(api(labels), request(), signal), "");
      assert.equal(readFileSync(join(dir, "rack"), "utf8"), "");
      assert.equal(
        readFileSync(join(dir, "message"), "utf8"),
        "The node node-1 has no value of the label example.com/rack.",
      );
      rmSync(join(dir, "message"));
      await writeRack(api(labels), request(), signal);
      assert.equal(existsSync(join(dir, "message")), false, "where nobody looks nothing is told");
    }
  });

  it("is nothing where the node cannot be read for long, so that a worker starts all the same, which is told", async () => {
    writeFileSync(join(dir, "message"), "");
    const refusing = {
      async get(): Promise<unknown> {
        throw new ConfigError("The node node-1 may not be read (403)");
      },
    };
    assert.equal(await writeRack(refusing, { ...request(), limitMs: -1 }, signal), "");
    assert.equal(readFileSync(join(dir, "rack"), "utf8"), "");
    assert.equal(readFileSync(join(dir, "message"), "utf8"), "The node node-1 may not be read (403).");
  });

  it("is asked for again while the right to it is on its way, and not once nobody waits", async () => {
    const reader = api({ "example.com/rack": "r7" });
    let refusals = 1;
    const late = {
      async get(path: string): Promise<unknown> {
        if (refusals-- > 0) throw new ConfigError("The node node-1 may not be read (403)");
        return reader.get(path);
      },
    };
    assert.equal(await writeRack(late, request(), signal), "r7");
    refusals = 1;
    await assert.rejects(writeRack(late, request(), AbortSignal.abort()), /403/);
  });
});
