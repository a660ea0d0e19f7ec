import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { httpSource } from "@headrace/http";
import type { SourceRecord } from "@headrace/sdk";
import { createMemoryOffsets, openSourceRun, type SourceRun, sourceAcceptance } from "@headrace/sdk/testing";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { openTestServer, type TestServer } from "./test-server.ts";

/** Ways to page; each server has a list that grows, and gives four items a page. */
const WAYS = {
  cursor: { "http.response.records.path": "data.items", "http.cursor.path": "next" },
  record: { "http.response.records.path": "data.items", "http.cursor.path": "id" },
  link: { "http.response.records.path": "data.items" },
  none: { "http.response.records.path": "data.items" },
} as const;

async function openSystem(pagination: keyof typeof WAYS) {
  const items: number[] = [];
  /** As far as pages can be read. */
  let readable = Number.POSITIVE_INFINITY;
  const server = await openTestServer(({ url, headers }, response) => {
    const after = Number(new URL(url, "http://h").searchParams.get("after") ?? 0);
    if (after >= readable) return void response.writeHead(200).end("<html>");
    const all = pagination === "none" ? items : items.slice(after, Math.min(after + 4, readable));
    const end = after + all.length;
    const full = all.length === 4 || end === readable;
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
      stall: server.stall,
      connections: server.connections,
      identify: ({ key }: SourceRecord) => String(key?.value),
      async feed(count: number) {
        const ids = Array.from({ length: count }, (_, index) => items.length + index);
        items.push(...ids);
        return ids.map((id) => String(id + 1));
      },
      async poison() {
        readable = items.length;
      },
      async cure() {
        readable = Number.POSITIVE_INFINITY;
      },
      close: server.close,
    },
  };
}

for (const pagination of ["cursor", "record", "link", "none"] as const) {
  describe(`http source by ${pagination}, acceptance`, { concurrency: 4 }, () => {
    const cases = sourceAcceptance({
      definition: httpSource,
      module: import.meta.resolve("@headrace/http"),
      resumes: "offsets",
      maxBatch: 3,
      items: 10,
      ...(pagination === "none"
        ? { gives: "rounds", notApplicable: NOT_APPLICABLE["http-source, pagination=none"] }
        : {
            poisoned: { outcome: "fails", tells: /^GET http:.*\/items.*: the answer/ },
            notApplicable: NOT_APPLICABLE["http-source"],
          }),
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

describe("the lag of the http source", () => {
  it("is what is left of the page that is being read", async () => {
    const { system } = await openSystem("cursor");
    await system.feed(5);
    const config = { ...system.config, "batch.size": "1" };
    const source = await openSourceRun(httpSource, { config });
    const lag = () => source.metrics[0]?.value("lag-records");
    try {
      const lags = [lag()];
      for (let taken = 0; taken < 5; taken += 1) {
        await source.take(1);
        lags.push(lag());
      }
      // Four items a page.
      assert.deepEqual(lags, [0, 3, 2, 1, 0, 0]);
    } finally {
      await source.close();
      await system.close();
    }
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

describe("http source and its server", () => {
  type Answering = Parameters<typeof openTestServer>[0];

  /** Runs the source on a server that answers so. */
  async function withServer(
    answer: Answering,
    config: Record<string, string>,
    use: (tools: { readonly source: SourceRun; readonly server: TestServer }) => Promise<void>,
  ): Promise<void> {
    const server = await openTestServer(answer);
    const source = await openSourceRun(httpSource, {
      config: { "http.url": `${server.url}/items`, topic: "t", "poll.interval.ms": "20", ...configAt(config, server) },
    });
    try {
      await use({ source, server });
    } finally {
      await source.close();
      await server.close();
    }
  }
  const configAt = (config: Record<string, string>, { url }: TestServer) =>
    Object.fromEntries(Object.entries(config).map(([key, value]) => [key, value.replace("SERVER", url)]));

  it("keeps every digit of integers, in values, keys and cursors", () => {
    const pages = new Map([
      ["0", '[{"id":9007199254740992},{"id":9007199254740993,"part":0.5}]'],
      ["9007199254740993", '[{"id":9007199254740995}]'],
    ]);
    return withServer(
      ({ url }, response) => {
        response.end(pages.get(new URL(url, "http://h").searchParams.get("after") ?? "") ?? "[]");
      },
      {
        "http.url": "SERVER/items?after=${cursor}",
        pagination: "record",
        "http.cursor.path": "id",
        "http.cursor.initial": "0",
        "http.record.key.path": "id",
      },
      async ({ source }) => {
        const records = await source.take(3);
        assert.deepEqual(
          records.map(({ key, value }) => [key?.value, value.value]),
          [
            [9007199254740992n, { id: 9007199254740992n }],
            [9007199254740993n, { id: 9007199254740993n, part: 0.5 }],
            [9007199254740995n, { id: 9007199254740995n }],
          ],
        );
        assert.equal(records.at(-1)?.sourceOffset["cursor"], "9007199254740995");
      },
    );
  });

  it("does not ask again before the time that Retry-After names", () => {
    const askedAt: number[] = [];
    return withServer(
      (_, response) => {
        askedAt.push(performance.now());
        if (askedAt.length === 1) response.writeHead(429, { "retry-after": "1" }).end();
        else response.end("[1]");
      },
      {},
      async ({ source }) => {
        assert.deepEqual(
          (await source.take(1)).map(({ value }) => value.value),
          [1],
        );
        assert.equal(source.retries(), 1);
        const [refusedAt = 0, againAt = 0] = askedAt;
        assert.ok(againAt - refusedAt >= 990, `asked again after ${againAt - refusedAt} ms`);
      },
    );
  });

  it("fails of a refusal that is not to be retried", () =>
    withServer(
      (_, response) => void response.writeHead(404).end("no such list"),
      {},
      async ({ source }) => {
        await assert.rejects(source.take(1), /GET http:\/\/127\.0\.0\.1:\d+\/items answered 404: no such list/);
      },
    ));

  it("sends its credentials with each request, and asks for a new token when one is refused", async () => {
    const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    const rows: readonly (readonly [Record<string, string>, readonly string[]])[] = [
      [{ "http.authorization.type": "bearer", "http.authorization.token": "t0" }, ["Bearer t0"]],
      [
        {
          "http.authorization.type": "basic",
          "http.authorization.username": "me",
          "http.authorization.password": "secret",
        },
        [basic],
      ],
      [
        {
          "http.authorization.type": "oauth2",
          "oauth2.access.token.url": "SERVER/token",
          "oauth2.client.id": "id",
          "oauth2.client.secret": "s",
        },
        ["Bearer t1", "Bearer t2"],
      ],
    ];
    for (const [config, wanted] of rows) {
      let tokens = 0;
      await withServer(
        ({ url, headers }, response) => {
          if (url === "/token") {
            tokens += 1;
            return void response.end(JSON.stringify({ access_token: `t${tokens}` }));
          }
          // The server forgets the first token.
          const fine = headers.authorization === wanted.at(-1);
          response.writeHead(fine ? 200 : 401).end("[1]");
        },
        config,
        async ({ source, server }) => {
          await source.take(1);
          const asked = server.received.filter(({ url }) => url === "/items");
          assert.deepEqual(
            asked.slice(0, wanted.length).map(({ headers }) => headers.authorization),
            wanted,
          );
        },
      );
    }
  });

  it("follows rel=next on its own server, and sends nothing to another one", async () => {
    const other = await openTestServer((_, response) => response.end("[3]"));
    await withServer(
      ({ url }, response) => {
        const next = url === "/items" ? "/more" : `${other.url}/steal`;
        response.writeHead(200, { link: `<${next}>; rel="next"` }).end(url === "/items" ? "[1]" : "[2]");
      },
      { pagination: "link", "http.authorization.type": "bearer", "http.authorization.token": "t0" },
      async ({ source }) => {
        assert.deepEqual(
          (await source.take(1)).map(({ value }) => value.value),
          [1],
        );
        await assert.rejects(source.take(1), /the next page is on another server/);
        assert.deepEqual(other.received, []);
      },
    );
    await other.close();
  });
});
