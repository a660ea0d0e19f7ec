/**
 * The one error by which a connector steers the worker: the operation may succeed when it is tried again.
 * From `poll` it means "nothing this time"; from `put` the same batch is delivered again later;
 * in a transform or converter it is retried within `errors.retry.timeout`. Anything else fails the task.
 * Source: org.apache.kafka.connect.errors.RetriableException.
 */
export class RetriableError extends Error {
  override readonly name = "RetriableError";
}

/** Data that does not fit: a wrong type, an unparsable payload, a schema mismatch. Subject to `errors.tolerance`. */
export class DataError extends Error {
  override readonly name = "DataError";
}

/** A configuration that cannot work. The message names the key, the value and what would be right. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Thrown by a converter that has to fetch something first, such as a schema: the record waits for `ready` and is converted again. If `ready`
 * rejects, the record fails with its reason, subject to the `errors.*` policy. Whoever throws it bounds the time that `ready` takes.
 */
export class NotReady extends Error {
  override readonly name = "NotReady";
  readonly ready: Promise<unknown>;

  constructor(ready: Promise<unknown>) {
    super("something has to be fetched first");
    this.ready = ready;
  }
}
