import type { Assigned } from "../group/group.ts";
import { createRejoins, type Rejoins } from "./rejoins.ts";
import type { ConnectorShare } from "./work.ts";
import { toShares } from "./work-table.ts";

/** What a round lets start. */
export interface Released {
  /** Config topic read up to the round's offset: connector instances may start. */
  readonly instances: boolean;
  /** The round knew the present task set: nobody runs the former one any more, its tasks may start. */
  readonly tasks: boolean;
}

export interface LastRoundOptions {
  readonly rejoin: (reason: string) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What the last completed round gave to this worker, and what of the configuration it did not know. */
export class LastRound {
  readonly #rejoins: Rejoins;
  /** Config offset at which a connector's present task set was committed, if that was seen as a change. */
  readonly #taskSetOffsets = new Map<string, bigint>();
  #shares: ReadonlyMap<string, ConnectorShare> = new Map();
  /** null: nothing may start. */
  #configOffset: bigint | null = null;
  /** Offset of the last change that needs a round. */
  #neededOffset = -1n;

  constructor(options: LastRoundOptions) {
    this.#rejoins = createRejoins(options);
  }

  /** A round has completed; another one is asked for if it did not know everything. */
  complete(round: Assigned): void {
    this.#shares = toShares(round.assignment);
    this.#configOffset = round.configOffset;
    if (this.#neededOffset > round.configOffset) this.#rejoins.request("configuration changed during the round");
  }

  /** Nothing belongs to this worker any more. */
  giveUp(): void {
    this.#shares = new Map();
    this.#configOffset = null;
  }

  /** Names of the connectors of which something was given to this worker. */
  connectors(): readonly string[] {
    return [...this.#shares.keys()];
  }

  share(connector: string): ConnectorShare | null {
    return this.#shares.get(connector) ?? null;
  }

  owns(connector: string, task: number | null): boolean {
    const share = this.#shares.get(connector);
    return task === null ? share?.instance === true : share?.tasks.has(task) === true;
  }

  /** Asks for a round that knows the config topic up to `offset`. */
  need(offset: bigint, reason: string): void {
    this.#neededOffset = offset;
    this.#rejoins.request(reason);
  }

  taskSetCommitted(connector: string, offset: bigint): void {
    this.#taskSetOffsets.set(connector, offset);
  }

  /** The connector was deleted. */
  forget(connector: string): void {
    this.#taskSetOffsets.delete(connector);
  }

  /** `configOffset`: how far the config topic was read. */
  released(connector: string, configOffset: bigint): Released {
    const known = this.#configOffset;
    if (known === null || configOffset < known) return { instances: false, tasks: false };
    return { instances: true, tasks: (this.#taskSetOffsets.get(connector) ?? -1n) <= known };
  }

  end(): void {
    this.#rejoins.cancel();
  }
}
