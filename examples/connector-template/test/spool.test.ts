import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sinkAcceptance, sourceAcceptance } from "@headrace/sdk/testing";
import { spoolSink } from "../src/spool-sink.ts";
import { spoolSource } from "../src/spool-source.ts";

/** A directory that can be taken away. */
async function openDirectory() {
  const root = await mkdtemp(join(tmpdir(), "spool-"));
  const directory = join(root, "files");
  await mkdir(directory);
  return {
    directory,
    outage: {
      begin: () => rename(directory, join(root, "away")),
      end: () => rename(join(root, "away"), directory),
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}

describe("spool source", () => {
  const cases = sourceAcceptance({
    definition: spoolSource,
    resumes: "offsets",
    maxBatch: 5,
    poisoned: "fails",
    misconfigurations: [
      { change: { directory: undefined }, key: "directory", message: /./ },
      { change: { "batch.size": "0" }, key: "batch.size", message: /at least 1/ },
    ],
    badOffsets: [
      { partition: { directory: "another" }, offset: { file: "1.json" } },
      { partition: { directory: "another" }, offset: { file: 1 } },
    ],
    async openSystem() {
      const { directory, outage, close } = await openDirectory();
      let made = 0;
      async function write(text: string): Promise<void> {
        const name = String(made).padStart(6, "0");
        made += 1;
        await writeFile(join(directory, `${name}.part`), text);
        await rename(join(directory, `${name}.part`), join(directory, `${name}.json`));
      }
      return {
        config: { directory, topic: "t", "batch.size": "5" },
        outage,
        close,
        poison: () => write("{"),
        async feed(count) {
          for (let left = count; left > 0; left -= 1) await write(JSON.stringify({ item: made }));
        },
      };
    },
  });
  for (const each of cases) it(each.name, each.run);
});

describe("spool sink", () => {
  const cases = sinkAcceptance({
    definition: spoolSink,
    repeats: "absorbs",
    poisoned: "fails",
    misconfigurations: [{ change: { directory: undefined }, key: "directory", message: /./ }],
    async openSystem() {
      const { directory, outage, close } = await openDirectory();
      return {
        config: { directory },
        outage,
        close,
        item: (n) => ({ value: { schema: null, value: n } }),
        poison: () => ({ value: { schema: null, value: 10n } }),
        async contents() {
          const names = (await readdir(directory)).filter((name) => name.endsWith(".json")).toSorted();
          return await Promise.all(names.map(async (name) => Number(await readFile(join(directory, name), "utf8"))));
        },
      };
    },
  });
  for (const each of cases) it(each.name, each.run);
});
