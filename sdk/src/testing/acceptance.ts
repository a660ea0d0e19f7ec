import assert from "node:assert/strict";
import type { z } from "zod";
import type { RawConfig } from "../source.ts";
import { problemsOf } from "./config.ts";

/** One thing that every connector has to keep; give it to `node:test`: `for (const each of cases) it(each.name, each.run)`. */
export interface AcceptanceCase {
  readonly name: string;
  /** Rejects if the connector does not keep it. */
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

/** From `begin` on, the system takes requests and does not answer them; at the `end` it may answer, or do nothing of what it has not done. */
export interface Stall extends Outage {
  /** Whether there is a request that waits for its answer. */
  waiting(): boolean | Promise<boolean>;
}

/** An item that cannot be read or taken. */
export interface Poisoned {
  /** What becomes of it where nothing else is configured: the task fails, or it is logged and left out. */
  readonly outcome: "fails" | "skips";
  /** What the error or the log line says, so that a person finds the item. */
  readonly tells: RegExp;
}

/** Why topics of a suite cannot apply to a connector, in words, by topic. A suite has none of their cases. */
export type NotApplicable<Topic extends string> = Readonly<Partial<Record<Topic, string>>>;

/** The cases of a topic: none where there is a reason why it cannot apply. */
export function casesOf<Topic extends string>(
  topic: Topic,
  reasons: NotApplicable<Topic> | undefined,
  cases: readonly AcceptanceCase[],
): readonly AcceptanceCase[] {
  return reasons?.[topic] === undefined ? cases : [];
}

/** What a case of a topic works with. Fails where it is not given. */
export function needed<T>(topic: string, given: T | undefined): T {
  assert.ok(given !== undefined, missing(topic));
  return given;
}

/**
 * Fails for each topic for which neither what its cases need is given nor a reason why they cannot apply, and for those with both.
 * A reason for a topic that is not asked for is a mistake as well.
 */
export function assertDeclared<Topic extends string>(
  given: Readonly<Partial<Record<Topic, boolean>>>,
  reasons: NotApplicable<Topic> | undefined,
): void {
  const said = new Map<string, string>(
    Object.entries<string | undefined>(reasons ?? {}).map(([key, why]) => [key, why ?? ""]),
  );
  const problems = Object.entries<boolean | undefined>(given).flatMap(([topic, isGiven]) => {
    if (isGiven === true) return said.has(topic) ? [`notApplicable.${topic} is given, and so is what it needs`] : [];
    return (said.get(topic) ?? "") === "" ? [missing(topic)] : [];
  });
  const idle = [...said.keys()].filter((topic) => !(topic in given));
  for (const topic of idle) problems.push(`notApplicable.${topic} has no case here`);
  assert.deepEqual(problems, []);
}

const missing = (topic: string): string =>
  `what ${topic} needs is not given: give it, or say in notApplicable.${topic} why not`;

/** Name of the case that wants all of that. */
export const DECLARES = "gives what the cases need, or says why they cannot apply";

interface Described {
  readonly config: z.ZodObject;
  readonly name: string;
  readonly version: string;
  validate?(config: Record<string, unknown>, signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;
}

/** What is asked of every definition, before anything runs. */
export function configCases(
  definition: Described,
  options: {
    readonly misconfigurations: readonly Misconfiguration[];
    withConfig(use: (config: RawConfig) => Promise<void>): Promise<void>;
  },
): readonly AcceptanceCase[] {
  const { misconfigurations, withConfig } = options;
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

function describeChange(change: Misconfiguration["change"]): string {
  return Object.entries(change)
    .map(([name, value]) => (value === undefined ? `no ${name}` : `${name}=${value}`))
    .join(", ");
}
