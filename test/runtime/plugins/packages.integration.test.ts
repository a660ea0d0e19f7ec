import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseWorkerConfig } from "@headrace/contract";
import { repoRoot } from "#dev/cache.ts";
import { createWorkerExecutors, createWorkerInventory } from "#runtime/executors.ts";
import { createLog } from "#runtime/log.ts";

const FIXTURES = join(repoRoot, "test/fixtures/plugins");
const signal = new AbortController().signal;
const log = createLog({ level: "silent" });

/** The executors and the inventory of a worker whose plugin.path is `dir`; no Kafka is needed. */
function setUp(dir: string) {
  const properties = {
    "group.id": "g",
    "key.converter": "string",
    "value.converter": "string",
    "config.storage.topic": "c",
    "offset.storage.topic": "o",
    "status.storage.topic": "s",
    "plugin.path": dir,
    "headrace.plugin.load.timeout.ms": "15000",
  };
  const parsed = parseWorkerConfig(properties);
  if (parsed.kind === "invalid") throw new Error(JSON.stringify(parsed.problems));
  const options = { config: parsed.config, properties, execArgv: ["--conditions=source"], log };
  const inventory = createWorkerInventory({
    ...options,
    onChange: ({ replaced }) => pool.usePackages(inventory.packages(), replaced),
  });
  const unavailable = () => {
    throw new Error("nothing runs here");
  };
  const pool = createWorkerExecutors({
    ...options,
    workerId: "test",
    clusterId: () => "",
    packages: () => inventory.packages(),
    handlers: {
      readOffsets: unavailable,
      writeOffsets: unavailable,
      offsetKeys: unavailable,
      fenceZombies: unavailable,
      isCurrentTask: unavailable,
    },
    onNotice: () => {},
    onLost: () => {},
  });
  return { inventory, pool };
}

describe("packages of plugins", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-plugins-"));
  const { inventory, pool } = setUp(dir);
  before(() => cpSync(join(FIXTURES, "side-by-side/ticker-1.0.0"), join(dir, "ticker-1.0.0"), { recursive: true }));
  after(async () => {
    await pool.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const ticker = (more: Record<string, string> = {}) => ({ name: "t", "connector.class": "TickerSource", ...more });
  const validate = async (config: Record<string, string>) => {
    const infos = await pool.validate(config, signal);
    return Object.fromEntries(infos.configs.map(({ value }) => [value.name, value]));
  };

  it("are listed with their package's version, and validated by their aliases", async () => {
    await inventory.scan(signal);
    const entry = (await pool.plugins(signal)).find((plugin) => plugin.class === "ticker");
    assert.equal(entry?.version, "1.0.0");
    const rows = await validate(ticker());
    assert.deepEqual(rows["topic"]?.errors, ['Missing required configuration "topic" which has no default value.']);
  });

  it("are found without a restart when they are added, several versions side by side", async () => {
    cpSync(join(FIXTURES, "side-by-side/ticker-2.0.0"), join(dir, "ticker-2.0.0"), { recursive: true });
    await inventory.scan(signal);
    const latest = await validate(ticker({ topic: "t" }));
    assert.equal(latest["connector.plugin.version"]?.value, "2.0.0");
    assert.deepEqual(latest["connector.plugin.version"]?.recommended_values, ["1.0.0", "2.0.0"]);
    const pinned = await validate(ticker({ topic: "t", "connector.plugin.version": "[1.0,2.0)" }));
    assert.deepEqual(pinned["connector.plugin.version"]?.errors, []);
    const none = await validate(ticker({ topic: "t", "connector.plugin.version": "3.0" }));
    assert.deepEqual(none["connector.class"]?.errors, [
      "Plugin org.example.TickerSourceConnector not found that matches the version range [3.0,3.0], available versions: [1.0.0, 2.0.0]",
    ]);
  });

  it("may be CommonJS, and share the sdk and zod with those that are not", async () => {
    cpSync(join(FIXTURES, "commonjs"), join(dir, "commonjs"), { recursive: true });
    await inventory.scan(signal);
    assert.deepEqual(inventory.broken(), []);
    const rows = await validate({ name: "t", "connector.class": "commonjs", topics: "t", file: "f" });
    assert.deepEqual(rows["file"]?.errors, []);
  });

  it("that throw, hang, crash or export something else are told and hurt nobody", async () => {
    cpSync(join(FIXTURES, "broken"), dir, { recursive: true });
    await inventory.scan(signal);
    const problems = inventory.broken().map(({ directory, problem }) => [directory.slice(dir.length + 1), problem]);
    const problem = Object.fromEntries(problems);
    assert.deepEqual(Object.keys(problem).sort(), ["bad-shape", "crashes", "hangs", "no-version", "throws"]);
    assert.match(problem["throws"], /cannot be loaded: Error: no licence found/);
    assert.match(problem["hangs"], /did not end within 15000 ms/);
    assert.match(problem["crashes"], /ended the process: .*SIGABRT/);
    assert.match(problem["bad-shape"], /has no function planTasks/);
    assert.match(problem["no-version"], /package\.json: version/);
    assert.equal((await validate(ticker({ topic: "t" })))["topic"]?.errors.length, 0);
  });
});
