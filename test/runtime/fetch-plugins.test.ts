import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create } from "tar";
import { FetchError } from "#runtime/download.ts";
import { fetchPlugin } from "#runtime/fetch-plugins.ts";

const signal = AbortSignal.timeout(60_000);

describe("fetchPlugin", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-fetch-"));
  const requests: IncomingMessage[] = [];
  let server: Server;
  let base: string;
  let archive: Buffer;
  let integrity: string;

  before(async () => {
    const source = join(dir, "source");
    mkdirSync(join(source, "package/lib"), { recursive: true });
    writeFileSync(join(source, "package/package.json"), '{"name":"ticker","version":"1.0.0"}');
    writeFileSync(join(source, "package/lib/index.js"), "export default [];");
    symlinkSync("/etc/passwd", join(source, "package/link"));
    await create({ file: join(dir, "ticker.tgz"), cwd: source, gzip: true }, ["package"]);
    archive = readFileSync(join(dir, "ticker.tgz"));
    integrity = hashOf(archive);
    server = createServer((request, response) => {
      requests.push(request);
      if (request.url === "/ticker.tgz") response.end(archive);
      else if (request.url === "/garbage.tgz") response.end("garbage");
      else if (request.url === "/cut.tgz") {
        response.writeHead(200, { "content-length": archive.length });
        response.write(archive.subarray(0, 10), () => response.destroy());
      } else response.writeHead(request.url === "/private.tgz" ? 401 : 404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  });
  after(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  });

  const hashOf = (bytes: Buffer | string) => `sha512-${createHash("sha512").update(bytes).digest("base64")}`;

  it("unpacks an archive without its top directory and without links, once", async () => {
    const directory = join(dir, "packages/ticker/1");
    await fetchPlugin({ directory, url: `${base}/ticker.tgz`, integrity }, "canary", signal);
    assert.deepEqual(readdirSync(directory).sort(), ["lib", "package.json"]);
    assert.equal(readFileSync(join(directory, "lib/index.js"), "utf8"), "export default [];");
    assert.deepEqual(readdirSync(join(dir, "packages/ticker")), ["1"]);
    assert.equal(requests.at(-1)?.headers.authorization, undefined, "a token goes to https addresses only");
    const asked = requests.length;
    await fetchPlugin({ directory, url: `${base}/ticker.tgz`, integrity }, null, signal);
    assert.equal(requests.length, asked);
  });

  const troubles: readonly [string, string, (() => string) | null, RegExp][] = [
    ["another archive", "/ticker.tgz", () => hashOf("other"), /has the hash sha512-.*, not sha512-.*correct integrity/],
    ["no archive at all", "/garbage.tgz", () => hashOf("garbage"), /could not be unpacked/],
    ["one that is not there", "/none.tgz", null, /\/none\.tgz answered 404$/],
    ["one that is not for everybody", "/private.tgz", null, /answered 401; set NPM_TOKEN in template\.initContainer/],
    ["half an archive", "/cut.tgz", null, /cut\.tgz could not be fetched/],
    ["a hash that is none", "/ticker.tgz", () => "md5-abc", /integrity md5-abc is none/],
  ];
  for (const [what, path, hash, message] of troubles) {
    it(`leaves nothing behind of ${what}`, async () => {
      const directory = join(dir, "packages/bad", what);
      const wanted = { directory, url: base + path, integrity: hash === null ? integrity : hash() };
      await assert.rejects(fetchPlugin(wanted, null, signal), (error) => {
        assert.ok(error instanceof FetchError);
        assert.match(error.message, message);
        return true;
      });
      assert.deepEqual(readdirSync(join(dir, "packages/bad")), []);
    });
  }

  it("tells a server that does not answer", async () => {
    const wanted = { directory: join(dir, "x"), url: "http://127.0.0.1:1/x.tgz", integrity };
    await assert.rejects(fetchPlugin(wanted, null, signal), /127\.0\.0\.1:1\/x\.tgz could not be fetched: /);
  });
});
