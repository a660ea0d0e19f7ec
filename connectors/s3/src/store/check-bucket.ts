import { RetriableError } from "@headrace/sdk";
import { S3Error } from "./failure.ts";
import type { ObjectStore } from "./object-store.ts";

const TIMEOUT_MS = 10_000;

/**
 * What is wrong with bucket or credentials, by key, for a connector's `validate`. A server that is away is no fault of the configuration:
 * the tasks wait for it.
 */
export async function checkBucket(
  store: ObjectStore,
  { mustList }: { readonly mustList: boolean },
  signal: AbortSignal,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await store.check(AbortSignal.any([signal, deadline]));
    return {};
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RetriableError || !(error instanceof Error) || deadline.aborted) return {};
    // Who may only write may not list.
    if (!mustList && error instanceof S3Error && error.code === "AccessDenied") return {};
    return { "s3.bucket.name": [error.message] };
  }
}
