import type { SourceRecord } from "@headrace/sdk";
import { HEARTBEAT_KEY_SCHEMA, HEARTBEAT_SCHEMA } from "./envelope.ts";
import type { Settings } from "./settings.ts";

/** Records that only store where the stream is. */
export class Heartbeat {
  readonly #settings: Settings;
  #beatAt: number;

  /** `at`: when the first interval begins, by the clock of {@link isDue}. */
  constructor(settings: Settings, at: number) {
    this.#settings = settings;
    this.#beatAt = at;
  }

  /** Whether the interval is over; begins the next one. `now` in milliseconds of a clock that never goes back. */
  isDue(now: number): boolean {
    const interval = this.#settings["heartbeat.interval.ms"];
    if (interval === 0 || now - this.#beatAt < interval) return false;
    this.#beatAt = now;
    return true;
  }

  /** `time` in milliseconds since the epoch. */
  record(time: number): Pick<SourceRecord, "topic" | "key" | "value"> {
    const prefix = this.#settings["topic.prefix"];
    return {
      topic: `${this.#settings["topic.heartbeat.prefix"]}${this.#settings["topic.delimiter"]}${prefix}`,
      key: { schema: HEARTBEAT_KEY_SCHEMA, value: { serverName: prefix } },
      value: { schema: HEARTBEAT_SCHEMA, value: { ts_ms: BigInt(time) } },
    };
  }
}
