import type { SchemaAndValue } from "../schema.ts";
import type { SinkDefinition } from "../sink.ts";
import type { RawConfig } from "../source.ts";
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
import type { Connections } from "./leaks.ts";
import { createSinkBench } from "./sink-bench.ts";
import { sinkDeliveryCases } from "./sink-delivery-cases.ts";
import { sinkTroubleCases } from "./sink-trouble-cases.ts";

/** What a suite of sinks may not apply to: see {@link SinkAcceptance.notApplicable}. */
export type SinkTopic =
  | "misconfigurations"
  | "contents"
  | "exactlyOnce"
  | "poison"
  | "outage"
  | "stall"
  | "alterOffsets"
  | "badOffsets";

/** The system that a sink writes to, in a test: a new and empty one for each case. */
export interface SinkSystem {
  readonly config: RawConfig;
  /** The key and value of item `n`, counted from 0. */
  item(n: number): { readonly key?: SchemaAndValue; readonly value: SchemaAndValue };
  /**
   * The numbers of the items that are there, in the order in which they came; what came twice stands twice, if the system can hold that.
   * `log` has the lines of all runs on this system. Not given: it keeps nothing.
   */
  contents?(log: readonly string[]): Promise<readonly number[]>;
  /** Takes the system away; not given: there is none that could be away. */
  readonly outage?: Outage;
  /** The system takes requests and does not answer them; not given: it cannot do that. */
  readonly stall?: Stall;
  /** An item that the system, or the connector, cannot take for what it is. */
  poison?(): { readonly key?: SchemaAndValue; readonly value: SchemaAndValue };
  /** Connections, or sessions, that the connector has open, counted by the system. Not given: only this process is looked at. */
  readonly connections?: Connections;
  close(): Promise<void>;
}

export interface SinkAcceptance {
  readonly definition: SinkDefinition;
  /** URL of a module that exports the definition, for processes that are killed: `import.meta.resolve("../src/my-sink.ts")`. */
  readonly module: string;
  openSystem(): Promise<SinkSystem>;
  readonly misconfigurations: readonly Misconfiguration[];
  /**
   * What delivering a record again does: it is there twice, or once. `absorbs` claims that each record is there exactly once; who does not,
   * says why in `notApplicable.exactlyOnce`.
   */
  readonly repeats: "duplicates" | "absorbs";
  /** What becomes of an item that cannot be taken, where records cannot be reported. */
  readonly poisoned?: Poisoned;
  /** Offsets that `alterOffsets` has to refuse. */
  readonly badOffsets?: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint | null;
  }[];
  /** Why something of the suite cannot apply to this connector, in words: what is neither given nor named here fails. */
  readonly notApplicable?: NotApplicable<SinkTopic>;
  /** Items of the cases that kill at each of them; not given: 8. */
  readonly items?: number;
  /** Longest wait for what has to happen, a stop included, in milliseconds; not given: 20,000. */
  readonly patienceMs?: number;
}

/** The acceptance suite of sinks. Cases are independent of one another and may run at the same time. */
export function sinkAcceptance(options: SinkAcceptance): readonly AcceptanceCase[] {
  const bench = createSinkBench(options);
  return [
    {
      name: DECLARES,
      run: () => bench.withSystem(async ({ system }) => assertDeclared(given(options, system), options.notApplicable)),
    },
    ...configCases(options.definition, {
      misconfigurations: options.misconfigurations,
      withConfig: (use) => bench.withSystem(({ system }) => use(system.config)),
    }),
    ...sinkDeliveryCases(options, bench),
    ...sinkTroubleCases(options, bench),
  ];
}

function given(options: SinkAcceptance, system: SinkSystem): Readonly<Partial<Record<SinkTopic, boolean>>> {
  const altersOffsets = options.definition.alterOffsets !== undefined;
  return {
    misconfigurations: options.misconfigurations.length > 0,
    contents: system.contents !== undefined,
    exactlyOnce: options.repeats === "absorbs",
    poison: options.poisoned !== undefined && system.poison !== undefined,
    outage: system.outage !== undefined,
    stall: system.stall !== undefined,
    alterOffsets: altersOffsets,
    ...(altersOffsets && { badOffsets: (options.badOffsets ?? []).length > 0 }),
  };
}
