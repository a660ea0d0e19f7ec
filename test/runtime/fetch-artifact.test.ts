import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create } from "tar";
import { FetchError } from "#runtime/download.ts";
import { type Artifact, fetchArtifact } from "#runtime/fetch-artifact.ts";

describe("fetchArtifact", () => {
  const signal = AbortSignal.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), "headrace-artifact-"));
  let server: Server;
  let base: string;

  before(async () => {
    const source = join(dir, "source");
    mkdirSync(join(source, "lib"), { recursive: true });
    writeFileSync(join(source, "lib/a.jar"), "a jar");
    await create({ file: join(source, "p.tgz"), cwd: source, gzip: true }, ["lib"]);
    execFileSync("python3", ["-m", "zipfile", "-c", "p.zip", "lib"], { cwd: source });
    const evil = "import zipfile; z = zipfile.ZipFile('evil.zip', 'w'); z.writestr('../../out.jar', 'x'); z.close()";
    execFileSync("python3", ["-c", evil], { cwd: source });
    server = createServer((request, response) => {
      const file = join(source, request.url ?? "");
      if (existsSync(file)) response.end(readFileSync(file));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  });

  after(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  });

  const table: readonly [string, Omit<Artifact, "directory" | "url">, string, readonly string[]][] = [
    ["a jar, as it is", { type: "jar" }, "/lib/a.jar", ["a.jar"]],
    ["another file under another name", { type: "other", fileName: "b.txt" }, "/lib/a.jar", ["b.txt"]],
    ["an archive", { type: "tgz" }, "/p.tgz", ["lib", "lib/a.jar"]],
    ["a zip archive", { type: "zip" }, "/p.zip", ["lib", "lib/a.jar"]],
  ];
  for (const [index, [what, artifact, path, files]] of table.entries()) {
    it(`brings ${what}, once`, async () => {
      const directory = join(dir, `plugins/p/${index}`);
      await fetchArtifact({ ...artifact, directory, url: `${base}${path}` }, signal);
      assert.deepEqual(readdirSync(directory, { recursive: true }).sort(), files);
      await fetchArtifact({ ...artifact, directory, url: "http://127.0.0.1:1/gone" }, signal);
    });
  }

  it("keeps nothing of a file with another sum, and says both", async () => {
    const sum = createHash("sha512").update("a jar").digest("hex");
    const directory = join(dir, "plugins/q/1");
    const artifact: Artifact = { type: "jar", directory, url: `${base}/lib/a.jar` };
    const wrong = "0".repeat(128);
    await assert.rejects(fetchArtifact({ ...artifact, sha512: wrong }, signal), (error) => {
      assert.ok(error instanceof FetchError);
      assert.ok(error.message.includes(`has the SHA-512 sum ${sum}, not ${wrong}`));
      return true;
    });
    assert.deepEqual(readdirSync(join(dir, "plugins/q")), []);
    await fetchArtifact({ ...artifact, sha512: sum }, signal);
    assert.equal(readFileSync(join(directory, "a.jar"), "utf8"), "a jar");
  });

  it("says what cannot be had or unpacked", async () => {
    const directory = join(dir, "plugins/r/1");
    await assert.rejects(fetchArtifact({ type: "jar", directory, url: `${base}/none` }, signal), /none answered 404/);
    await assert.rejects(
      fetchArtifact({ type: "zip", directory, url: `${base}/lib/a.jar` }, signal),
      /\(zip\) could not be unpacked/,
    );
  });

  it("writes nothing outside of the directory", async () => {
    const directory = join(dir, "plugins/s/1");
    await assert.rejects(
      fetchArtifact({ type: "zip", directory, url: `${base}/evil.zip` }, signal),
      /could not be unpacked/,
    );
    assert.equal(existsSync(join(dir, "plugins/out.jar")), false);
  });
});
