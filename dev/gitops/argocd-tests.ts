import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { expectedHealth, RecordedResource } from "./recorded-state.ts";

const ActionTests = z.looseObject({
  actionTests: z.array(z.strictObject({ action: z.string(), inputPath: z.string(), expectedOutputPath: z.string() })),
});

const Fields = z.record(z.string(), z.unknown());

/** What the actions are to do with a resource, beside which their Lua is tested. The moment is the one that Argo CD's tests put into results. */
const CHANGES: Readonly<Record<string, readonly [path: readonly string[], value: string | undefined]>> = {
  roll: [["spec", "template", "pod", "metadata", "annotations", "headrace.dev/rolled-at"], "0001-01-01T00:00:00Z"],
  "pause-reconciliation": [["metadata", "annotations", "headrace.dev/pause-reconciliation"], "true"],
  "resume-reconciliation": [["metadata", "annotations", "headrace.dev/pause-reconciliation"], undefined],
  restart: [["metadata", "annotations", "headrace.dev/restart"], "includeTasks"],
  "restart-failed": [["metadata", "annotations", "headrace.dev/restart"], "includeTasks,onlyFailed"],
  pause: [["spec", "state"], "paused"],
  stop: [["spec", "state"], "stopped"],
  resume: [["spec", "state"], "running"],
};

/**
 * The parts of a kind's tests that follow from its recorded states, by their paths in its folder: `health_test.yaml`, and what each action makes of
 * a state. Throws for an action that nobody has described.
 */
export function toArgoTests(dir: string): ReadonlyMap<string, string> {
  const read = (path: string): unknown => parse(readFileSync(join(dir, path), "utf8"));
  const tests = readdirSync(join(dir, "testdata"))
    .toSorted()
    .map((name) => {
      const inputPath = `testdata/${name}`;
      return { inputPath, healthStatus: expectedHealth(RecordedResource.parse(read(inputPath))) };
    });
  const { actionTests } = ActionTests.parse(read("actions/action_test.yaml"));
  const outputs = actionTests.map(({ action, inputPath, expectedOutputPath }): [string, string] => {
    const change = CHANGES[action];
    if (change === undefined) throw new Error(`nobody has said what the action ${action} does`);
    return [`actions/${expectedOutputPath}`, toYaml(changed(read(join("actions", inputPath)), ...change))];
  });
  return new Map([["health_test.yaml", toYaml({ tests })], ...outputs]);
}

/** As all files of these tests are written. */
export const toYaml = (value: unknown): string => stringify(value, { lineWidth: 0 });

/** The value with another one at a path of maps, which are made where they are missing; undefined takes what is there away. */
function changed(value: unknown, [key, ...rest]: readonly string[], to: string | undefined): unknown {
  if (key === undefined) return to;
  const { [key]: old, ...others } = Fields.parse(value ?? {});
  const member = changed(old, rest, to);
  return member === undefined ? others : { ...others, [key]: member };
}
