import { describe, it } from "node:test";
import { STRING_SCHEMA, toText } from "@headrace/sdk";
import { sinkAcceptance, sourceAcceptance } from "@headrace/sdk/testing";
import { blackholeSink } from "#runtime/connectors/blackhole-sink.ts";
import { datagenSource } from "#runtime/connectors/datagen-source.ts";
import { loggerSink } from "#runtime/connectors/logger-sink.ts";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";

describe("datagen source, acceptance", { concurrency: 4 }, () => {
  for (const { about, more } of [
    { about: "as fast as possible", more: { "rate.per.second": "0" } },
    { about: "at a rate", more: { "rate.per.second": "200" } },
  ]) {
    const cases = sourceAcceptance({
      definition: datagenSource,
      module: import.meta.resolve("#runtime/connectors/datagen-source.ts"),
      gives: "endless",
      resumes: "offsets",
      maxBatch: 5,
      notApplicable: NOT_APPLICABLE["datagen-source"],
      misconfigurations: [
        { change: { topic: "" }, key: "topic", message: /./ },
        { change: { template: "{{nothing}}" }, key: "template", message: /nothing/ },
        { change: { "rate.per.second": "-1" }, key: "rate.per.second", message: /at least 0/ },
      ],
      async openSystem() {
        let fed = 0;
        return {
          config: {
            topic: "t",
            template: "{{sequence}}",
            "template.format": "text",
            // One sequence: several come in no order among themselves.
            streams: "1",
            "batch.size": "5",
            ...more,
          },
          feed: async (count) => Array.from({ length: count }, () => String(fed++)),
          identify: ({ value }) => toText(value),
          close: async () => {},
        };
      },
    });
    for (const each of cases) it(`${about}: ${each.name}`, each.run);
  }
});

describe("blackhole sink, acceptance", () => {
  const cases = sinkAcceptance({
    definition: blackholeSink,
    module: import.meta.resolve("#runtime/connectors/blackhole-sink.ts"),
    repeats: "duplicates",
    misconfigurations: [],
    notApplicable: NOT_APPLICABLE["blackhole-sink"],
    openSystem: async () => ({
      config: {},
      item: (n) => ({ value: { schema: STRING_SCHEMA, value: `${n}` } }),
      close: async () => {},
    }),
  });
  for (const each of cases) it(each.name, each.run);
});

describe("logger sink, acceptance", { concurrency: 4 }, () => {
  const cases = sinkAcceptance({
    definition: loggerSink,
    module: import.meta.resolve("#runtime/connectors/logger-sink.ts"),
    repeats: "duplicates",
    misconfigurations: [
      { change: { "log.level": "loud" }, key: "log.level", message: /one of/ },
      { change: { "log.values": "maybe" }, key: "log.values", message: /./ },
    ],
    notApplicable: NOT_APPLICABLE["logger-sink"],
    openSystem: async () => ({
      config: {},
      item: (n) => ({ value: { schema: STRING_SCHEMA, value: `${n}` } }),
      contents: async (log) =>
        log.flatMap((line) => /^info record .*"value":"(\d+)"/.exec(line)?.[1] ?? []).map(Number),
      close: async () => {},
    }),
  });
  for (const each of cases) it(each.name, each.run);
});
