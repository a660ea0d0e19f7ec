import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { restorePlaceholders } from "#runtime/config-providers/placeholders.ts";
import { createConfigResolver, forConnectors } from "#runtime/config-providers/resolver.ts";

const signal = new AbortController().signal;

describe("config resolver", () => {
  let dir: string;
  const warnings: string[] = [];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-providers-"));
    await writeFile(join(dir, "db.properties"), "# credentials\nuser = ada\npass\\:word=a\\u0042c\nempty=\n");
    await mkdir(join(dir, "secret"));
    await writeFile(join(dir, "secret", "token"), "t0k\n");
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const resolver = (params: Record<string, string> = {}) =>
    createConfigResolver(
      {
        "config.providers": "file, dir,env",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        "config.providers.dir.class": "DirectoryConfigProvider",
        ...params,
      },
      { env: { PASSWORD: "hunter2", PORT: "1" }, warn: (_, message) => warnings.push(message) },
    );

  const one = async (value: string, params?: Record<string, string>) =>
    (await resolver(params).resolve({ key: value }, signal))["key"];

  it("reads files, directories and the environment, mixed with text", async () => {
    assert.equal(await one(`\${file:${dir}/db.properties:user}`), "ada");
    assert.equal(await one(`\${file:${dir}/db.properties:pass:word}`), "aBc");
    assert.equal(await one(`\${file:${dir}/db.properties:empty}`), "");
    assert.equal(await one(`\${dir:${dir}/secret:token}`), "t0k\n");
    assert.equal(await one(`a-\${env:PASSWORD}-\${env:PORT}-z`), "a-hunter2-1-z");
  });

  it("keeps providers for the worker alone from connectors", async () => {
    const worker = {
      "config.providers": "dir, own",
      "config.providers.dir.class": "DirectoryConfigProvider",
      "config.providers.own.class": "DirectoryConfigProvider",
      "config.providers.own.param.worker.only": "true",
    };
    const environment = { env: {}, warn: () => {} };
    const raw = { a: `\${own:${dir}/secret:token}`, b: `\${dir:${dir}/secret:token}` };
    const asWorker = await createConfigResolver(worker, environment).resolve(raw, signal);
    assert.deepEqual(asWorker, { a: "t0k\n", b: "t0k\n" });
    const asConnector = await createConfigResolver(forConnectors(worker), environment).resolve(raw, signal);
    assert.deepEqual(asConnector, { a: raw.a, b: "t0k\n" });
  });

  it("leaves what it does not know as it is, and does not resolve twice", async () => {
    for (const text of [
      `\${nobody:x}`,
      `\${env:MISSING}`,
      `\${file:${dir}/db.properties:missing}`,
      "$env:PORT",
      `\${}`,
    ]) {
      assert.equal(await one(text), text);
    }
    const nested = createConfigResolver(
      { "config.providers": "env" },
      { env: { A: `\${env:B}`, B: "b" }, warn: () => {} },
    );
    assert.deepEqual(await nested.resolve({ key: `\${env:A}` }, signal), { key: `\${env:B}` });
  });

  it("fails for a file that cannot be read, and for a path of the environment", async () => {
    await assert.rejects(one(`\${file:/no/such/file:x}`), /Could not read properties from file \/no\/such\/file/);
    await assert.rejects(one(`\${env:path:x}`), /Path is not supported/);
  });

  it("reads allowed paths and names only", async () => {
    const allowed = { "config.providers.file.param.allowed.paths": `${dir}/secret` };
    const text = `\${file:${dir}/db.properties:user}`;
    assert.equal(await one(text, allowed), text);
    assert.equal(
      await one(`\${file:${dir}/secret/../db.properties:user}`, allowed),
      `\${file:${dir}/secret/../db.properties:user}`,
    );
    assert.equal(warnings.at(-1), "config provider path is not within allowed.paths");
    assert.equal(await one(`\${env:PORT}`, { "config.providers.env.param.allowlist.pattern": "P.*D" }), `\${env:PORT}`);
    assert.equal(
      await one(`\${dir:${dir}:../${dir.split("/").at(-1)}/db.properties}`),
      `\${dir:${dir}:../${dir.split("/").at(-1)}/db.properties}`,
    );
  });

  it("refuses a provider that does not exist", () => {
    assert.throws(
      () =>
        createConfigResolver(
          { "config.providers": "x", "config.providers.x.class": "org.x.Y" },
          { env: {}, warn: () => {} },
        ),
      /Invalid value org.x.Y for configuration config.providers.x.class: Class org.x.Y could not be found./,
    );
  });
});

describe("restorePlaceholders", () => {
  it("puts back the raw text of keys that have a placeholder", () => {
    assert.deepEqual(
      restorePlaceholders(
        { password: "hunter2", user: "ada", "task.class": "T" },
        { password: `\${env:PASSWORD}`, user: "someone", other: `\${env:X}` },
      ),
      { password: `\${env:PASSWORD}`, user: "ada", "task.class": "T" },
    );
  });
});
