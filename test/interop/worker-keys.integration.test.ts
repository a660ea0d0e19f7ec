import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parseWorkerConfig } from "@headrace/contract";
import { repoRoot } from "#dev/cache.ts";
import { kafkaLibs } from "#dev/setup/kafka.ts";

interface JavaKey {
  readonly mode: "distributed" | "standalone";
  readonly name: string;
  /** `<required>`, `<null>`, or the text. */
  readonly fallback: string;
}

/** What Java's workers say of their keys (WorkerKeys.java). */
async function javaKeys(): Promise<readonly JavaKey[]> {
  const harness = join(repoRoot, "test/interop/WorkerKeys.java");
  const { stdout } = await promisify(execFile)("java", ["-cp", `${await kafkaLibs()}/*`, harness], {
    timeout: 120_000,
  });
  return stdout.split("\n").flatMap((line) => {
    const [mode, name, , fallback] = line.split("\t");
    if ((mode !== "distributed" && mode !== "standalone") || name === undefined || fallback === undefined) return [];
    return [{ mode, name, fallback }];
  });
}

/** Keys of the clients, which go to them as they are, and a plugin's version, which is read with the plugin. */
const PASSED_ON = /^(ssl|sasl)\.|\.plugin\.version$/;
const OTHER: Readonly<Record<string, string>> = {
  // There is no JMX; metrics are served as Prometheus text.
  "metric.reporters": "",
  // Java's distributed worker has no default.
  "bootstrap.servers": "localhost:9092",
};
const REQUIRED = {
  "group.id": "g",
  "key.converter": "k",
  "value.converter": "v",
  "offset.storage.topic": "o",
  "config.storage.topic": "c",
  "status.storage.topic": "s",
};

const shown = (value: unknown) => (value === null ? "<null>" : Array.isArray(value) ? value.join(",") : String(value));

describe("the worker's configuration keys", () => {
  let keys: readonly JavaKey[] = [];
  before(async () => {
    keys = await javaKeys();
  });
  const own = (): ReadonlyMap<string, unknown> => {
    const parsed = parseWorkerConfig(REQUIRED);
    assert.ok(parsed.kind === "valid");
    return new Map(Object.entries(parsed.config));
  };

  it("are all known, with Java's defaults", (t) => {
    assert.ok(keys.length > 150, `${keys.length} keys`);
    const values = own();
    const wrong = keys
      .filter(({ mode, name }) => mode === "distributed" && !PASSED_ON.test(name) && !Object.hasOwn(REQUIRED, name))
      .filter(({ name, fallback }) => {
        const wanted = OTHER[name] ?? fallback;
        return !values.has(name) || shown(values.get(name)).toLowerCase() !== wanted.toLowerCase();
      })
      .map(({ name, fallback }) => `${name}: Java ${fallback}, own ${shown(values.get(name) ?? "unknown")}`);
    t.diagnostic(`interop | configuration keys | ${keys.length} keys of Java's workers | ${wrong.length} differences`);
    assert.deepEqual(wrong, []);
  });

  it("are required where Java requires them", () => {
    const required = keys.filter(({ mode, fallback }) => mode === "distributed" && fallback === "<required>");
    assert.deepEqual(
      required
        .map(({ name }) => name)
        .filter((name) => !Object.hasOwn(OTHER, name))
        .sort(),
      Object.keys(REQUIRED).sort(),
    );
    for (const missing of Object.keys(REQUIRED)) {
      const given = Object.fromEntries(Object.entries(REQUIRED).filter(([name]) => name !== missing));
      const parsed = parseWorkerConfig(given);
      assert.deepEqual(parsed.kind === "invalid" ? parsed.problems.map(({ key }) => key) : [], [missing]);
    }
  });

  it("are in standalone mode those of distributed mode, and the offset file", () => {
    const distributed = new Map(keys.flatMap((key) => (key.mode === "distributed" ? [[key.name, key.fallback]] : [])));
    const other = keys.filter(
      ({ mode, name, fallback }) => mode === "standalone" && distributed.get(name) !== fallback,
    );
    assert.deepEqual(
      other.map(({ name, fallback }) => [name, fallback]),
      [["offset.storage.file.filename", "<required>"]],
    );
  });
});
