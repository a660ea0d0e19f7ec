import assert from "node:assert/strict";
import type { z } from "zod";
import type { RawConfig } from "../source.ts";
import { problemsOf } from "./config.ts";

/** Where a case says that it does not apply; the context of a `node:test` test is one. */
export interface CaseContext {
  skip(reason: string): void;
  /** Told why a part of a case does not apply, where the rest of it does. */
  diagnostic?(message: string): void;
}

/** One thing that every connector has to keep; give it to `node:test`: `for (const each of cases) it(each.name, each.run)`. */
export interface AcceptanceCase {
  readonly name: string;
  /** Rejects if the connector does not keep it. Where it cannot apply, the context is told why: without one, it rejects. */
  run(context?: CaseContext): Promise<void>;
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

/** Why topics of a suite cannot apply to a connector, in words, by topic. They are reported as skipped, with that reason. */
export type NotApplicable<Topic extends string> = Readonly<Partial<Record<Topic, string>>>;

/** Whether a topic applies: what it needs is given, or there is a reason why not, which is reported. Neither, or both, is a mistake. */
export function applies<Topic extends string>(
  topic: Topic,
  given: boolean,
  {
    reasons,
    context,
  }: { readonly reasons: NotApplicable<Topic> | undefined; readonly context: CaseContext | undefined },
): boolean {
  const reason = reasons?.[topic];
  assert.ok(!(given && reason !== undefined), `notApplicable.${topic} is given, and so is what the case needs`);
  assert.ok(
    given || (reason ?? "") !== "",
    `what ${topic} needs is not given: give it, or say in notApplicable.${topic} why not`,
  );
  if (reason !== undefined) skip(context, reason);
  return given;
}

/** Reports that a case does not apply. */
export function skip(context: CaseContext | undefined, reason: string): void {
  assert.ok(context !== undefined, `does not apply: ${reason}`);
  context.skip(reason);
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
  options: {
    readonly misconfigurations: readonly Misconfiguration[];
    readonly reasons: NotApplicable<"misconfigurations"> | undefined;
    withConfig(use: (config: RawConfig) => Promise<void>): Promise<void>;
  },
): readonly AcceptanceCase[] {
  const { misconfigurations, reasons, withConfig } = options;
  const problems = (config: RawConfig) => problemsOf(definition, config, AbortSignal.timeout(20_000));
  const none: AcceptanceCase = {
    name: "says at its key what is wrong with a configuration",
    async run(context) {
      applies("misconfigurations", false, { reasons, context });
    },
  };
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
    ...(misconfigurations.length === 0 ? [none] : []),
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
