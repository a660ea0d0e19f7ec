import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { STRING_SCHEMA, toText } from "@headrace/sdk";
import { sinkAcceptance, sourceAcceptance } from "@headrace/sdk/testing";
import { fileSink } from "#runtime/connectors/file-sink.ts";
import { fileSource } from "#runtime/connectors/file-source.ts";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";

async function openDirectory() {
  const dir = await mkdtemp(join(tmpdir(), "headrace-file-acceptance-"));
  return { file: join(dir, "lines.txt"), close: () => rm(dir, { recursive: true, force: true }) };
}

describe("file source, acceptance", { concurrency: 4 }, () => {
  const cases = sourceAcceptance({
    definition: fileSource,
    module: import.meta.resolve("#runtime/connectors/file-source.ts"),
    resumes: "offsets",
    maxBatch: 5,
    notApplicable: NOT_APPLICABLE["file-source"],
    misconfigurations: [
      { change: { topic: undefined }, key: "topic", message: /expected string|required/i },
      { change: { topic: "" }, key: "topic", message: /./ },
      { change: { "batch.size": "many" }, key: "batch.size", message: /Not a number of type INT/ },
    ],
    badOffsets: [
      { partition: { name: "f" }, offset: { position: 3 } },
      { partition: { filename: "f" }, offset: { position: -1 } },
      { partition: { filename: "f" }, offset: { position: "3" } },
    ],
    async openSystem() {
      const { file, close } = await openDirectory();
      let fed = 0;
      return {
        config: { file, topic: "t", "batch.size": "5" },
        async feed(count) {
          const lines = Array.from({ length: count }, (_, index) => `línea ${fed + index}`);
          fed += count;
          await appendFile(file, lines.map((line) => `${line}\n`).join(""));
          return lines;
        },
        identify: ({ value }) => toText(value),
        close,
      };
    },
  });
  for (const each of cases) it(each.name, each.run);
});

describe("file sink, acceptance", { concurrency: 4 }, () => {
  const cases = sinkAcceptance({
    definition: fileSink,
    module: import.meta.resolve("#runtime/connectors/file-sink.ts"),
    repeats: "duplicates",
    notApplicable: NOT_APPLICABLE["file-sink"],
    misconfigurations: [{ change: { file: "" }, key: "file", message: /./ }],
    async openSystem() {
      const { file, close } = await openDirectory();
      return {
        config: { file },
        item: (n) => ({ value: { schema: STRING_SCHEMA, value: `${n}` } }),
        contents: async () => (await readFile(file, "utf8")).split("\n").slice(0, -1).map(Number),
        close,
      };
    },
  });
  for (const each of cases) it(each.name, each.run);
});
