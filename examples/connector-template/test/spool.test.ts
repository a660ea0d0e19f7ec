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
    module: import.meta.resolve("../src/spool-source.ts"),
    resumes: "offsets",
    maxBatch: 5,
    poisoned: { outcome: "fails", tells: /000003\.json is not JSON/ },
    notApplicable: { stall: "a directory answers or fails" },
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
      let poisoned = "";
      async function write(text: string): Promise<string> {
        const name = String(made).padStart(6, "0");
        made += 1;
        await writeFile(join(directory, `${name}.part`), text);
        await rename(join(directory, `${name}.part`), join(directory, `${name}.json`));
        return join(directory, `${name}.json`);
      }
      return {
        config: { directory, topic: "t", "batch.size": "5" },
        outage,
        close,
        async feed(count) {
          const items: string[] = [];
          for (let left = count; left > 0; left -= 1) {
            const item = JSON.stringify({ item: made });
            await write(item);
            items.push(item);
          }
          return items;
        },
        identify: ({ value }) => JSON.stringify(value.value),
        async poison() {
          poisoned = await write("{");
        },
        cure: () => rm(poisoned),
      };
    },
  });
  for (const each of cases) it(each.name, each.run);
});

describe("spool sink", () => {
  const cases = sinkAcceptance({
    definition: spoolSink,
    module: import.meta.resolve("../src/spool-sink.ts"),
    repeats: "absorbs",
    poisoned: { outcome: "fails", tells: /the value at offset 8 cannot/ },
    notApplicable: { stall: "a directory answers or fails", badOffsets: "any position may be set" },
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
