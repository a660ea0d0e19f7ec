import type { SchemaAndValue } from "@headrace/sdk";
import type { ItemReader, ReadableObject } from "../format/source-format.ts";
import { orAborted } from "../waiting.ts";

/** Items of an object, with how many came before them. */
export interface Items {
  readonly items: readonly SchemaAndValue[];
  /** Of the first. */
  readonly index: number;
  /** The last of them is the object's last. */
  readonly last: boolean;
}

/** Reads an object item by item, behind those that were read before. Looks one step ahead, so that the last item is known as such. */
export class OpenReader {
  readonly #steps: AsyncIterator<readonly SchemaAndValue[]>;
  #waiting: SchemaAndValue[] = [];
  #index: number;
  #skip: number;
  #ended = false;
  #step: Promise<IteratorResult<readonly SchemaAndValue[]>> | null = null;

  constructor(reader: ItemReader, object: ReadableObject, skip: number) {
    this.#steps = reader(object)[Symbol.asyncIterator]();
    this.#index = skip;
    this.#skip = skip;
  }

  /** At most so many items, at least one unless the object has no more. Rejects with the signal's reason when that aborts; then it may go on. */
  async take(max: number, signal: AbortSignal): Promise<Items> {
    while (!this.#ended && this.#waiting.length <= max) {
      if (!(await this.#advance(signal))) break;
    }
    const items = this.#waiting.splice(0, max);
    const index = this.#index;
    this.#index += items.length;
    return { items, index, last: this.#ended && this.#waiting.length === 0 };
  }

  /** Whether there may be more to wait for. False when what waits has to be given out first, since reading on has failed. */
  async #advance(signal: AbortSignal): Promise<boolean> {
    this.#step ??= this.#steps.next();
    // Nobody may wait for it any more when it fails.
    this.#step.catch(() => {});
    let step: IteratorResult<readonly SchemaAndValue[]>;
    try {
      step = await orAborted(this.#step, signal);
    } catch (error) {
      // The same failure comes again when there is nothing left to give.
      if (!signal.aborted && this.#waiting.length > 0) return false;
      throw error;
    }
    this.#step = null;
    if (step.done === true) this.#ended = true;
    else {
      const skipped = Math.min(this.#skip, step.value.length);
      this.#skip -= skipped;
      for (const item of skipped === 0 ? step.value : step.value.slice(skipped)) this.#waiting.push(item);
    }
    return true;
  }

  /** Ends what is under way. */
  close(): void {
    void this.#steps.return?.().catch(() => {}); // Its failure is of no interest any more.
  }
}
