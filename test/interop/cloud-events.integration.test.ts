import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { cloudEventsConverter } from "@headrace/debezium";
import { DataError } from "@headrace/sdk";
import { apicurioConverters } from "#dev/setup/apicurio.ts";
import { debeziumJars } from "#dev/setup/debezium.ts";
import { type ApicurioServer, startApicurio } from "#support/apicurio-server.ts";
import { decoded, encoded } from "../connectors/schema-registry/converting.ts";
import type { Case } from "./transforms/cases.ts";
import { postgresEvent } from "./transforms/debezium-cases.ts";
import { runJava } from "./transforms/java.ts";
import { describe as describeData, toData } from "./transforms/ours.ts";
import { Random } from "./transforms/random.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20240607);
const CASES = 30;

describe(`CloudEvents in Avro as Debezium and Apicurio write them, with one registry (HEADRACE_SEED=${SEED})`, () => {
  let server: ApicurioServer;
  let jars: readonly string[] = [];
  before(async () => {
    const [started, debezium, apicurio] = await Promise.all([startApicurio(), debeziumJars(), apicurioConverters()]);
    server = started;
    jars = [`${debezium}/*`, `${apicurio}/*`];
  });
  after(() => server.stop());

  for (const format of ["json", "avro"]) {
    it(`events in ${format}, data in avro`, { timeout: 600_000 }, async (t) => {
      const random = new Random(SEED);
      const inputs = Array.from({ length: CASES }, () => postgresEvent(random));
      const formats = { "serializer.type": format, "data.serializer.type": "avro" };
      const test = {
        kind: "converter",
        class: "io.debezium.converters.CloudEventsConverter",
        config: {
          ...formats,
          "avro.apicurio.registry.url": `${server.url}/apis/registry/v2`,
          "avro.apicurio.registry.as-confluent": "true",
          "avro.apicurio.registry.use-id": "contentId",
          "avro.apicurio.registry.auto-register": "true",
          "avro.apicurio.registry.headers.enabled": "false",
        },
        direction: "encode",
        inputs,
      } as const satisfies Case;
      const [answers = []] = await runJava([test], t.signal, jars);
      const settings = cloudEventsConverter.config.parse({
        ...formats,
        "avro.schema.registry.url": server.compatibleUrl,
        "avro.enhanced.avro.schema.support": "true",
      });
      const converter = cloudEventsConverter.compile(settings, false);
      // The only thing that may differ: each names the registry's API that it talks to.
      const read = async (payload: Buffer) =>
        JSON.stringify(describeData(await decoded(converter, "topic", payload))).replaceAll(
          /http:[^"\\]*?\/schemas\/ids/g,
          "",
        );
      let written = 0;
      for (const [index, input] of inputs.entries()) {
        const own = await encoded(converter, "topic", toData(input)).catch((error: unknown) => {
          if (error instanceof DataError) return null;
          throw error;
        });
        const theirs = answers[index];
        const said = JSON.stringify({ input, theirs });
        if (own === null) {
          assert.notEqual(typeof theirs, "string", said);
          continue;
        }
        assert.equal(typeof theirs, "string", said);
        assert.equal(await read(own), await read(Buffer.from(String(theirs), "base64")), said);
        written += 1;
      }
      assert.ok(written > CASES / 4, `only ${written} of ${CASES} were written`);
      t.diagnostic(`interop | CloudEvents, ${format} and Avro | ${CASES} events, ${written} written | 0 differences`);
    });
  }
});
