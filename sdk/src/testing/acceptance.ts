import assert from "node:assert/strict";
import type { z } from "zod";
import type { RawConfig } from "../source.ts";
import { problemsOf } from "./config.ts";
import { until } from "./waiting.ts";

/** One thing that every connector has to keep; give it to a test runner: `for (const each of cases) it(each.name, each.run)`. */
export interface AcceptanceCase {
  readonly name: string;
  run(): Promise<void>;
}

/** A way to configure the connector wrongly. */
export interface Misconfiguration {
  /** What is changed of the good configuration; undefined takes the key out. */
  readonly change: Readonly<Record<string, string | undefined>>;
  /** The key at which it has to be told. */
  readonly key: string;
  readonly message: RegExp;
}

/** Something from outside that can be taken away and given back. */
export interface Outage {
  begin(): Promise<void>;
  end(): Promise<void>;
}

interface Described {
  readonly config: z.ZodObject;
  readonly name: string;
  readonly version: string;
  validate?(config: Record<string, unknown>, signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;
}

/** What is asked of every definition, before anything runs. */
export function configCases(
  definition: Described,
  misconfigurations: readonly Misconfiguration[],
  withConfig: (use: (config: RawConfig) => Promise<void>) => Promise<void>,
): readonly AcceptanceCase[] {
  const problems = (config: RawConfig) => problemsOf(definition, config, AbortSignal.timeout(20_000));
  return [
    {
      name: "describes itself and each of its keys",
      async run() {
        assert.match(definition.name, /^[a-z][a-z0-9-]*$/, "a name has lower-case words with dashes");
        for (const [key, schema] of Object.entries(definition.config.shape)) {
          const { description } = schema.meta() ?? {};
          assert.ok(typeof description === "string" && description !== "", `${key} has no description`);
        }
      },
    },
    {
      name: "finds nothing wrong with a good configuration",
      run: () =>
        withConfig(async (config) => {
          assert.deepEqual([...(await problems(config))], []);
        }),
    },
    ...misconfigurations.map(({ change, key, message }) => ({
      name: `says at ${key} what is wrong with ${describeChange(change)}`,
      run: () =>
        withConfig(async (config) => {
          const wrong: Record<string, string> = { ...config };
          for (const [name, value] of Object.entries(change)) {
            if (value === undefined) delete wrong[name];
            else wrong[name] = value;
          }
          const found = await problems(wrong);
          const told = (found.get(key) ?? []).join("; ");
          assert.match(told, message, `told instead: ${JSON.stringify([...found])}`);
        }),
    })),
  ];
}

/** What keeps the process alive, by kind. */
function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

const ROUNDS = 10;
const SETTLE_MS = 60_000;

/** Runs something ten times and fails if sockets, files, timers or processes are left over. */
export async function assertNoLeaks(round: () => Promise<void>): Promise<void> {
  await round(); // What is made once and kept, such as a pool of threads, is no leak.
  const before = resources();
  for (let count = 0; count < ROUNDS; count += 1) await round();
  const left = () =>
    [...resources()].filter(([kind, count]) => {
      const once = kind === "Immediate" || kind === "TickObject" || kind === "FSReqPromise";
      return !once && count - (before.get(kind) ?? 0) >= ROUNDS / 2;
    });
  await until(SETTLE_MS, `everything that ${ROUNDS} runs opened is closed again`, () => left().length === 0).catch(
    () => {
      assert.fail(`${ROUNDS} runs have left open: ${JSON.stringify(left())}`);
    },
  );
}

function describeChange(change: Misconfiguration["change"]): string {
  return Object.entries(change)
    .map(([name, value]) => (value === undefined ? `no ${name}` : `${name}=${value}`))
    .join(", ");
}
