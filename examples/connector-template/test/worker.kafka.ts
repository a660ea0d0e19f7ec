import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { openWorkerRun, until } from "@headrace/sdk/testing";

/** Needs a Kafka (`KAFKA`, for instance localhost:9092), a worker (`HEADRACE_WORKER`, its command) and the package, built. */
const { KAFKA = "localhost:9092", HEADRACE_WORKER = "headrace-worker" } = process.env;

const directory = await mkdtemp(join(tmpdir(), "spool-"));
const worker = await openWorkerRun({
  bootstrap: KAFKA,
  pluginPath: [join(import.meta.dirname, "..")],
  command: HEADRACE_WORKER.split(" "),
});
after(async () => {
  await worker.close();
  await rm(directory, { recursive: true, force: true });
});

it("moves records from Kafka into files, through a kill of the worker", { timeout: 180_000 }, async () => {
  const topic = `spool-${process.pid}`;
  await worker.write(topic, ["1", "2"]);
  await worker.start("spool", { "connector.class": "spool-sink", topics: topic, directory });
  const files = async () => (await readdir(directory)).filter((name) => name.endsWith(".json"));
  await until(60_000, "two files", async () => (await files()).length === 2);
  await worker.killAndRestart();
  await worker.write(topic, ["3"]);
  await until(60_000, "three files", async () => (await files()).length === 3);
  assert.equal((await files()).length, 3);
});
