import type { SourceRecord, TransactionContext } from "@headrace/sdk";

/** What a connector asked for at a boundary. */
export type BoundaryRequest = "commit" | "abort";

/**
 * What a source task has said about its transactions, until the worker has come to the place. Source:
 * org.apache.kafka.connect.runtime.WorkerTransactionContext.
 */
export class TransactionRequests implements TransactionContext {
  readonly #records = new Map<SourceRecord, BoundaryRequest>();
  #batch: BoundaryRequest | null = null;

  commitTransaction(record?: SourceRecord): void {
    this.#request("commit", record);
  }

  abortTransaction(record?: SourceRecord): void {
    this.#request("abort", record);
  }

  /** Whether any record has a request of its own. */
  cutsBatches(): boolean {
    return this.#records.size > 0;
  }

  /** The request for the transaction that ends with this record; asked once. */
  takeRecord(record: SourceRecord): BoundaryRequest | null {
    const request = this.#records.get(record) ?? null;
    this.#records.delete(record);
    return request;
  }

  /** The request for the transaction that ends with the batch; asked once. */
  takeBatch(): BoundaryRequest | null {
    const request = this.#batch;
    this.#batch = null;
    return request;
  }

  #request(wanted: BoundaryRequest, record: SourceRecord | undefined): void {
    const before = record === undefined ? this.#batch : (this.#records.get(record) ?? null);
    if (before !== null && before !== wanted) {
      throw new Error("The connector asked for both a commit and an abort of the same transaction");
    }
    if (record === undefined) this.#batch = wanted;
    else this.#records.set(record, wanted);
  }
}
