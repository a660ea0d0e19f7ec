import type { SinkRecord, SinkTask } from "@headrace/sdk";
import type { Partition, PartitionOffset } from "../kafka/record-consumer.ts";
import type { TaskControl } from "./runner.ts";
import { abortable } from "./waiting.ts";

/**
 * The connector's task, one call at a time. Each call is waited for until the very end of the task; one that has not ended by then is
 * left alone, and no other may be made.
 */
export class SinkCalls {
  readonly #task: SinkTask;
  readonly #control: TaskControl;
  #stuck = false;

  constructor(task: SinkTask, control: TaskControl) {
    this.#task = task;
    this.#control = control;
  }

  /** A call did not end. */
  isStuck(): boolean {
    return this.#stuck;
  }

  async open(partitions: readonly Partition[]): Promise<void> {
    await this.#wait(this.#task.open?.(partitions.map(({ topic, partition }) => ({ topic, partition }))));
  }

  async put(records: readonly SinkRecord[]): Promise<void> {
    await this.#wait(this.#task.put(records, this.#control.draining));
  }

  /** `preCommit`, or `flush`, which stands for all that was given. */
  async safeOffsets(current: readonly PartitionOffset[], signal: AbortSignal): Promise<readonly PartitionOffset[]> {
    if (this.#task.preCommit !== undefined) return await this.#wait(this.#task.preCommit(current, signal));
    await this.#wait(this.#task.flush?.(signal));
    return current;
  }

  async release(partitions: readonly Partition[], lost: boolean): Promise<void> {
    await this.#wait(this.#task.release?.(partitions, lost));
  }

  async close(): Promise<void> {
    await abortable(this.#task.close(), this.#control.ending);
  }

  async #wait<T>(call: T | Promise<T>): Promise<T> {
    const { ending } = this.#control;
    try {
      return await abortable(call, ending);
    } catch (error) {
      if (ending.aborted && error === ending.reason) this.#stuck = true;
      throw error;
    }
  }
}
