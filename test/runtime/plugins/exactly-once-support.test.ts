import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import { defineSource, type SourceDefinition } from "@headrace/sdk";
import { z } from "zod";
import { createConfigResolver } from "#runtime/config-providers/resolver.ts";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { createPluginRegistry } from "#runtime/plugins/registry.ts";
import { validateConfig } from "#runtime/plugins/validate.ts";

const WORKER = { "key.converter": "json", "value.converter": "json" };
const ENABLED = { ...WORKER, "exactly.once.source.support": "enabled" };

type Answers = Pick<SourceDefinition, "exactlyOnceSupport" | "canDefineTransactionBoundaries">;

async function errorsOf(answers: Answers, given: StringMap, worker: StringMap = ENABLED) {
  const source = defineSource({
    name: "asked",
    version: "1",
    config: z.object({}),
    planTasks: () => [],
    openTask: () => Promise.reject(new Error("never opened")),
    ...answers,
  });
  const plugins = createPluginRegistry([...BUILT_IN_PLUGINS, source]);
  const resolver = createConfigResolver({}, { env: {}, warn: () => {} });
  const config = { name: "s", "connector.class": "asked", ...given };
  const infos = await validateConfig({ plugins, worker, resolver }, config, AbortSignal.timeout(10_000));
  return infos.configs.flatMap(({ value }) => value.errors.map((error) => `${value.name}: ${error}`));
}

const REQUIRED = { "exactly.once.support": "required" };
const BY_CONNECTOR = { "transaction.boundary": "connector" };

describe("exactly-once support of a source", () => {
  it("is not asked for unless it is required", async () => {
    assert.deepEqual(await errorsOf({ exactlyOnceSupport: () => "UNSUPPORTED" }, {}), []);
  });

  it("satisfies where worker and connector have it", async () => {
    assert.deepEqual(await errorsOf({ exactlyOnceSupport: () => "SUPPORTED" }, REQUIRED), []);
  });

  it("lacks on a worker that does not have it enabled", async () => {
    for (const support of ["disabled", "preparing"]) {
      const worker = { ...WORKER, "exactly.once.source.support": support };
      assert.deepEqual(await errorsOf({ exactlyOnceSupport: () => "SUPPORTED" }, REQUIRED, worker), [
        "exactly.once.support: This worker does not have exactly-once source support enabled.",
      ]);
    }
  });

  it("lacks where the connector says so, says nothing, or fails", async () => {
    assert.match(
      String(await errorsOf({ exactlyOnceSupport: () => "UNSUPPORTED" }, REQUIRED)),
      /does not support exactly-once/,
    );
    assert.match(String(await errorsOf({}, REQUIRED)), /Consult its documentation.*"requested"/);
    const failing = {
      exactlyOnceSupport: () => {
        throw new Error("broken");
      },
    };
    assert.deepEqual(await errorsOf(failing, REQUIRED), [
      "exactly.once.support: An unexpected error occurred during validation: broken",
    ]);
  });

  it("lets only connectors that can set transaction boundaries", async () => {
    assert.deepEqual(await errorsOf({ canDefineTransactionBoundaries: () => true }, BY_CONNECTOR), []);
    for (const answers of [{}, { canDefineTransactionBoundaries: () => false }]) {
      assert.match(
        String(await errorsOf(answers, BY_CONNECTOR)),
        /^transaction.boundary: The connector does not support/,
      );
    }
  });
});
