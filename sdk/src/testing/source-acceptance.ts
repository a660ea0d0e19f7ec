import type { OffsetMap, RawConfig, SourceDefinition, SourceRecord } from "../source.ts";
import {
  type AcceptanceCase,
  assertDeclared,
  configCases,
  DECLARES,
  type Misconfiguration,
  type NotApplicable,
  type Outage,
  type Poisoned,
  type Stall,
} from "./acceptance.ts";
import { parseConfig } from "./config.ts";
import type { Connections } from "./leaks.ts";
import { createSourceBench } from "./source-bench.ts";
import { sourceFlowCases } from "./source-flow-cases.ts";
import { sourceResumeCases } from "./source-resume-cases.ts";
import { sourceTroubleCases } from "./source-trouble-cases.ts";

/** What a suite of sources may not apply to: see {@link SourceAcceptance.notApplicable}. */
export type SourceTopic =
  | "misconfigurations"
  | "order"
  | "maxBatch"
  | "exactlyOnce"
  | "poison"
  | "cure"
  | "outage"
  | "stall"
  | "alterOffsets"
  | "badOffsets";

/** The system that a source reads from, in a test: a new and empty one for each case. */
export interface SourceSystem {
  /** A configuration that reads it; with several source partitions if the connector knows them. */
  readonly config: RawConfig;
  /**
   * Puts so many more items there; resolves when they are on their way, or there, with what `identify` says of their records, in the order
   * in which the items were put there.
   */
  feed(count: number): Promise<readonly string[]>;
  /** What tells items apart; the same item in each run. */
  identify(record: SourceRecord): string;
  /** What of an offset says where to go on, if it says more than that; not given: all of it. The same for an item in each run. */
  placeOf?(offset: OffsetMap): OffsetMap;
  /** Takes the system away; not given: there is none that could be away. */
  readonly outage?: Outage;
  /** The system takes requests and does not answer them; not given: it cannot do that. */
  readonly stall?: Stall;
  /** Puts something there that cannot be read, behind what was fed and before what will be. */
  poison?(): Promise<void>;
  /** Takes it away again, as somebody does who has read the task's error. */
  cure?(): Promise<void>;
  /** Connections, or sessions, that the connector has open, counted by the system. Not given: only this process is looked at. */
  readonly connections?: Connections;
  close(): Promise<void>;
}

export interface SourceAcceptance {
  readonly definition: SourceDefinition;
  /** URL of a module that exports the definition, for processes that are killed: `import.meta.resolve("../src/my-source.ts")`. */
  readonly module: string;
  openSystem(): Promise<SourceSystem>;
  readonly misconfigurations: readonly Misconfiguration[];
  /**
   * Not given: each item once. `rounds`: all items that are there, again and again; nothing is wanted then of what was stored. `endless`: it
   * makes items up, those that `feed` tells first.
   */
  readonly gives?: "rounds" | "endless";
  /**
   * `offsets`: a task goes on behind the stored offset, exactly. `acknowledgements`: the system gives again what `committed` was not told
   * of. `anew`: with all that is there.
   */
  readonly resumes: "offsets" | "acknowledgements" | "anew";
  /** The most that one poll may give: what the connector holds in memory while Kafka takes nothing. */
  readonly maxBatch: number;
  /** What becomes of an item that cannot be read. */
  readonly poisoned?: Poisoned;
  /** Offsets that `alterOffsets` has to refuse with ConfigError. */
  readonly badOffsets?: readonly { readonly partition: OffsetMap; readonly offset: OffsetMap | null }[];
  /** Why something of the suite cannot apply to this connector, in words: what is neither given nor named here fails. */
  readonly notApplicable?: NotApplicable<SourceTopic>;
  /** Items of the cases that kill at each of them; not given: 12. */
  readonly items?: number;
  /** Longest wait for what has to happen, records and a stop included, in milliseconds; not given: 20,000. */
  readonly patienceMs?: number;
}

/** The acceptance suite of sources. Cases are independent of one another and may run at the same time. */
export function sourceAcceptance(options: SourceAcceptance): readonly AcceptanceCase[] {
  const bench = createSourceBench(options);
  return [
    {
      name: DECLARES,
      run: () => bench.withSystem(async ({ system }) => assertDeclared(given(options, system), options.notApplicable)),
    },
    ...configCases(options.definition, {
      misconfigurations: options.misconfigurations,
      withConfig: (use) => bench.withSystem(({ system }) => use(system.config)),
    }),
    ...sourceFlowCases(options, bench),
    ...sourceResumeCases(options, bench),
    ...sourceTroubleCases(options, bench),
  ];
}

function given(options: SourceAcceptance, system: SourceSystem): Readonly<Partial<Record<SourceTopic, boolean>>> {
  const { definition, notApplicable, poisoned } = options;
  const altersOffsets = definition.alterOffsets !== undefined;
  return {
    misconfigurations: options.misconfigurations.length > 0,
    // They need nothing.
    order: notApplicable?.order === undefined,
    maxBatch: notApplicable?.maxBatch === undefined,
    exactlyOnce: definition.exactlyOnceSupport?.(parseConfig(definition, system.config)) === "SUPPORTED",
    poison: poisoned !== undefined && system.poison !== undefined,
    ...(poisoned?.outcome === "fails" && { cure: system.cure !== undefined }),
    outage: system.outage !== undefined,
    stall: system.stall !== undefined,
    alterOffsets: altersOffsets,
    ...(altersOffsets && { badOffsets: (options.badOffsets ?? []).length > 0 }),
  };
}
