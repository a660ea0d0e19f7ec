import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { httpSource } from "@headrace/http";
import { createMemoryOffsets, openSourceRun, sourceAcceptance } from "@headrace/sdk/testing";
import { openTestServer } from "./test-server.ts";

/** Ways to page; each server has a list that grows, and gives four items a page. */
const WAYS = {
  cursor: { "http.response.records.path": "data.items", "http.cursor.path": "next" },
  record: { "http.response.records.path": "data.items", "http.cursor.path": "id" },
  link: { "http.response.records.path": "data.items" },
  none: { "http.response.records.path": "data.items" },
} as const;

async function openSystem(pagination: keyof typeof WAYS) {
  const items: number[] = [];
  let poisoned = false;
  const server = await openTestServer(({ url, headers }, response) => {
    if (poisoned && pagination !== "none") return void response.writeHead(200).end("<html>");
    const after = Number(new URL(url, "http://h").searchParams.get("after") ?? 0);
    const all = pagination === "none" ? items : items.slice(after, after + 4);
    const end = after + all.length;
    const full = all.length === 4;
    const body = JSON.stringify({
      data: { items: all.map((id) => ({ id: id + 1 })) },
      ...(full && { next: String(end) }),
    });
    const etag = `"${createHash("sha1").update(body).digest("hex")}"`;
    if (headers["if-none-match"] === etag) return void response.writeHead(304).end();
    const link = pagination === "link" && full ? { link: `<${url.split("?")[0]}?after=${end}>; rel="next"` } : {};
    response.writeHead(200, { ...link, etag }).end(body);
  });
  return {
    server,
    system: {
      config: {
        "http.url": `${server.url}/items${pagination === "link" || pagination === "none" ? "" : "?after=${cursor}"}`,
        topic: "t",
        pagination,
        "poll.interval.ms": "20",
        "http.cursor.initial": pagination === "link" ? "" : "0",
        "http.record.key.path": "id",
        "batch.size": "3",
        ...WAYS[pagination],
      },
      outage: server.outage,
      async feed(count: number) {
        for (let left = count; left > 0; left -= 1) items.push(items.length);
      },
      async poison() {
        poisoned = true;
      },
      close: server.close,
    },
  };
}

for (const pagination of ["cursor", "record", "link"] as const) {
  describe(`http source by ${pagination}, acceptance`, { concurrency: 4 }, () => {
    const cases = sourceAcceptance({
      definition: httpSource,
      resumes: "offsets",
      maxBatch: 3,
      items: 10,
      poisoned: "fails",
      misconfigurations: [
        { change: { topic: undefined }, key: "topic", message: /./ },
        { change: { "http.url": "h" }, key: "http.url", message: /must start with http/ },
        {
          change: { pagination: "cursor", "http.cursor.path": undefined },
          key: "http.cursor.path",
          message: /is needed/,
        },
        { change: { pagination: "x" }, key: "pagination", message: /one of: none, cursor/ },
      ],
      badOffsets: [
        { partition: { url: "u" }, offset: { cursor: 1 } },
        { partition: { url: "u" }, offset: { cursor: "", index: -1 } },
        { partition: { uri: "u" }, offset: { cursor: "" } },
      ],
      openSystem: async () => (await openSystem(pagination)).system,
    });
    for (const each of cases) it(each.name, each.run);
  });
}

describe("http source", () => {
  it("repeats nothing when it was killed in a page that has grown since", async () => {
    const { system } = await openSystem("cursor");
    const offsets = createMemoryOffsets();
    await system.feed(2);
    const first = await openSourceRun(httpSource, { config: system.config, offsets });
    await first.acknowledge((await first.take(2)).slice(0, 1));
    await first.close();
    await system.feed(1);
    const second = await openSourceRun(httpSource, { config: system.config, offsets });
    assert.deepEqual(
      (await second.take(2)).map(({ key }) => key?.value),
      [2, 3],
    );
    await second.close();
    await system.close();
  });
});

describe("http source without pages", () => {
  it("gives the whole answer when it has changed, and goes on in the middle of one that has not", async () => {
    const { system, server } = await openSystem("none");
    await system.feed(5);
    const offsets = createMemoryOffsets();
    const first = await openSourceRun(httpSource, { config: system.config, offsets });
    const three = await first.take(3);
    await first.acknowledge(three.slice(0, 2));
    await first.close();
    const second = await openSourceRun(httpSource, { config: system.config, offsets });
    const rest = await second.take(3);
    assert.deepEqual(
      rest.map(({ key }) => key?.value),
      [3, 4, 5],
    );
    await second.acknowledge(rest);
    await system.feed(1);
    assert.deepEqual(
      (await second.take(6)).map(({ key }) => key?.value),
      [1, 2, 3, 4, 5, 6],
    );
    assert.ok(server.received.some(({ headers }) => headers["if-none-match"] !== undefined));
    await second.close();
    await system.close();
  });
});
