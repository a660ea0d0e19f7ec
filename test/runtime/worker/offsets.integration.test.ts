import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createConnector, groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

const PLUGIN = "slow-to-commit";

describe("offsets of a connector that is stopping, on two workers", { timeout: 560_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-offsets-"));
  const plugins = join(dir, "plugins");
  const gate = join(dir, "gate");
  const group = uniqueName("offsets");
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let workers: readonly TestWorker[] = [];

  before(async () => {
    kafka = await sharedKafka();
    mkdirSync(plugins);
    cpSync(join(repoRoot, "test/fixtures/plugins", PLUGIN), join(plugins, PLUGIN), { recursive: true });
    const properties = {
      ...groupProperties(kafka.bootstrap, group),
      "plugin.path": plugins,
      "offset.flush.interval.ms": "100",
      "headrace.metrics.listener": "",
    };
    workers = await Promise.all([startWorker({ dir, properties }), startWorker({ dir, properties })]);
  });
  after(async () => {
    await Promise.all(workers.map((worker) => worker.process.kill()));
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const ask = (method: string, path: string) => rest(workers[0]?.url ?? "", method, `/connectors/${path}`);
  const offsetsOf = async (name: string) => {
    const { body } = await ask("GET", `${name}/offsets`);
    return (body as { offsets: readonly object[] }).offsets;
  };

  // One connector's task is with the leader, the other's with the follower.
  for (const name of [`${group}-a`, `${group}-b`]) {
    it(`are reset for good, though the last commit of its task comes late (${name.slice(-1)})`, async () => {
      await createConnector(workers[0]?.url ?? "", name, { "connector.class": PLUGIN, topic: name, gate });
      await eventually("something is committed", async () => (await offsetsOf(name)).length > 0);
      writeFileSync(gate, "");
      await eventually("a commit is held up", () => existsSync(`${gate}.reached`));
      assert.equal((await ask("PUT", `${name}/stop`)).status, 204);
      const reset = ask("DELETE", `${name}/offsets`);
      const early = new Promise((resolve) => setTimeout(resolve, 1_000, "waits"));
      assert.equal(await Promise.race([reset.then(() => "answered"), early]), "waits");
      rmSync(gate);
      rmSync(`${gate}.reached`);
      const { status, body } = await reset;
      assert.equal(status, 200, JSON.stringify(body));
      const tasks = async () => (await ask("GET", `${name}/status`)).body as { readonly tasks: readonly object[] };
      await eventually("its task is gone", async () => (await tasks()).tasks.length === 0);
      assert.deepEqual(await offsetsOf(name), []);
    });
  }
});
