import assert from "node:assert/strict";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { readCustomizations, readManifest } from "#dev/gitops/argocd-config.ts";
import { WANTED_STATES } from "#dev/gitops/recorded-state.ts";
import { type Kstatus, type KstatusObject, kstatusOf } from "#support/kstatus.ts";
import { STRIMZI_CHECK } from "#support/strimzi-check.ts";
import { type Judge, openJudge } from "./judge.ts";

const GITOPS = join(repoRoot, "examples/gitops");
const GROUP = "headrace.dev";

/** Argo CD's own layout of tests: util/lua/health_test.go and custom_actions_test.go. */
const HealthTests = z.strictObject({
  tests: z.array(
    z.strictObject({
      inputPath: z.string(),
      healthStatus: z.strictObject({ status: z.string(), message: z.string() }),
    }),
  ),
});
const Action = z.object({ name: z.string(), disabled: z.boolean().optional() });
const ActionTests = z.strictObject({
  discoveryTests: z.array(z.strictObject({ inputPath: z.string(), result: z.array(Action.loose()) })),
  actionTests: z.array(z.strictObject({ action: z.string(), inputPath: z.string(), expectedOutputPath: z.string() })),
});
const FluxExpressions = z.array(
  z.object({ kind: z.string(), inProgress: z.string(), failed: z.string(), current: z.string() }),
);
const ARGO: Readonly<Record<Kstatus, readonly string[]>> = {
  InProgress: ["Progressing"],
  Terminating: ["Progressing"],
  Failed: ["Degraded"],
  Current: ["Healthy", "Suspended"],
};

/** Of all Kustomizations of the example. */
const fluxExpressions = globSync("flux/*.yaml", { cwd: GITOPS }).flatMap((file) =>
  parseAllDocuments(readFileSync(join(GITOPS, file), "utf8")).flatMap((document) =>
    FluxExpressions.parse(document.toJS().spec?.healthCheckExprs ?? []),
  ),
);

const customizations = readCustomizations(join(GITOPS, "argocd/resource_customizations", GROUP));

describe("Argo CD and Flux, on resources as they were on a cluster", () => {
  let lua: Judge;
  let flux: Judge;

  before(async () => {
    lua = await openJudge("lua");
    flux = await openJudge("flux");
  });

  after(async () => {
    await lua?.close();
    await flux?.close();
  });

  /** What the script returns for the resource. */
  const run = (script: string, object: object) => lua.ask({ script, object });

  const configured = () =>
    z
      .object({ data: z.record(z.string(), z.string()) })
      .parse(parse(readFileSync(join(GITOPS, "argocd/argocd-cm.yaml"), "utf8"))).data;

  for (const [what, status, expected] of [
    ["nobody has looked at yet", undefined, { status: "Progressing", message: "Argo CD has not looked at it yet" }],
    [
      "is only compared",
      { sync: {}, health: {} },
      { status: "Progressing", message: "Argo CD has not looked at it yet" },
    ],
    ["is on its way", { health: { status: "Progressing" } }, { status: "Progressing", message: "" }],
    ["is healthy", { health: { status: "Healthy" } }, { status: "Healthy", message: "" }],
    [
      "is not",
      { health: { status: "Degraded", message: "a worker ended" } },
      { status: "Degraded", message: "a worker ended" },
    ],
  ] as const) {
    it(`an Application that ${what} is ${expected.status}, so that waves wait for each other`, async () => {
      const script = configured()["resource.customizations.health.argoproj.io_Application"] ?? "";
      const application = readManifest(GITOPS, "argocd/apps/streaming-cluster.yaml");
      assert.deepEqual(await run(script, { ...application, ...(status && { status }) }), expected);
    });
  }

  for (const { kind, dir, health, discovery, actions } of customizations) {
    const { tests } = HealthTests.parse(readManifest(dir, "health_test.yaml"));
    const { discoveryTests, actionTests } = ActionTests.parse(readManifest(dir, "actions/action_test.yaml"));

    for (const { inputPath, healthStatus } of tests) {
      it(`${kind} ${inputPath} is ${healthStatus.status}`, async () => {
        const resource = readManifest(dir, inputPath);
        assert.deepEqual(await run(health, resource), healthStatus);
        const [, word = ""] = /testdata\/([a-z]+)/.exec(inputPath) ?? [];
        assert.equal(healthStatus.status.toLowerCase(), word);
      });

      it(`${kind} ${inputPath} is the same for kstatus, for Flux's expressions and for Strimzi's check`, async () => {
        const resource = readManifest(dir, inputPath) as KstatusObject;
        const kstatus = kstatusOf(resource);
        assert.ok(ARGO[kstatus].includes(healthStatus.status), kstatus);
        if (kstatus === "Terminating") return; // Flux asks kstatus about deletion, whatever the expressions are; Strimzi's check does not know it.
        const expressions = fluxExpressions.find((one) => one.kind === kind);
        assert.equal(await flux.ask({ expressions, object: resource }), kstatus);
        const isCurrent = resource.status?.observedGeneration === resource.metadata.generation;
        if (!isCurrent) return; // Strimzi's check does not know that either.
        const strimzi = z.object({ status: z.string() }).parse(await run(STRIMZI_CHECK, resource)).status;
        assert.ok(ARGO[kstatus].includes(strimzi), `by Strimzi's check, ${kstatus} is ${strimzi}`);
      });
    }

    it(`${kind}: what make e2e passes through is recorded, and every recorded state is in the tests`, () => {
      const recorded = readdirSync(join(dir, "testdata")).map((name) => `testdata/${name}`);
      assert.deepEqual(tests.map(({ inputPath }) => inputPath).toSorted(), recorded.toSorted());
      for (const state of WANTED_STATES.filter((name) => name.startsWith(`${kind}/`)))
        assert.ok(recorded.includes(`testdata/${state.slice(kind.length + 1)}.yaml`), state);
      const states = new Set(tests.map(({ healthStatus }) => healthStatus.status));
      assert.deepEqual([...states].toSorted(), ["Degraded", "Healthy", "Progressing", "Suspended"]);
    });

    for (const { inputPath, result } of discoveryTests) {
      it(`${kind} ${inputPath} offers the actions that make sense`, async () => {
        const offered = z
          .record(z.string(), z.looseObject({ disabled: z.boolean() }))
          .parse(await run(discovery, readManifest(join(dir, "actions"), inputPath)));
        const named = Object.entries(offered).map(([name, action]) => ({ name, ...action }));
        // As in Argo CD, where false is the same as nothing.
        const plain = named.map(({ disabled, ...action }) => (disabled ? { ...action, disabled } : action));
        const byName = (left: { readonly name: string }, right: { readonly name: string }) =>
          left.name < right.name ? -1 : 1;
        assert.deepEqual(plain.toSorted(byName), result.toSorted(byName));
        assert.deepEqual(named.map(({ name }) => name).toSorted(), [...actions.keys()].toSorted());
      });
    }

    for (const { action, inputPath, expectedOutputPath } of actionTests) {
      it(`${kind} ${inputPath} becomes ${expectedOutputPath} by ${action}`, async () => {
        const given = readManifest(join(dir, "actions"), inputPath);
        const made = await run(actions.get(action) ?? "", given);
        assert.deepEqual(withoutEmpty(made), withoutEmpty(readManifest(join(dir, "actions"), expectedOutputPath)));
      });
    }

    it(`${kind}: every action is in the tests`, () => {
      assert.deepEqual(
        [...new Set(actionTests.map(({ action }) => action))].toSorted(),
        [...actions.keys()].toSorted(),
      );
    });

    it(`${kind}: argocd-cm.yaml has the scripts`, () => {
      const data = configured();
      assert.equal(data[`resource.customizations.health.${GROUP}_${kind}`], health);
      assert.deepEqual(parse(data[`resource.customizations.actions.${GROUP}_${kind}`] ?? ""), {
        mergeBuiltinActions: true,
        "discovery.lua": discovery,
        definitions: [...actions].map(([name, script]) => ({ name, "action.lua": script })),
      });
    });
  }
});

/** Without empty maps and lists, which are one thing in Lua; Argo CD puts back what a script has not touched. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, withoutEmpty(member)] as const);
  return Object.fromEntries(
    members.filter(([, member]) => typeof member !== "object" || member === null || Object.keys(member).length > 0),
  );
}
