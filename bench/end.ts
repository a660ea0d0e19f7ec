/** Ends something that was opened. */
export type End = () => Promise<void> | void;

/**
 * Does the work and then calls all of `ends`, which may grow meanwhile, the last one first, whatever became of the work and of the other ends.
 * Throws what the work threw; what goes wrong behind it is told with it: an AggregateError has both, in their order.
 */
export async function withEnds<T>(ends: readonly End[], work: () => Promise<T>): Promise<T> {
  const errors: unknown[] = [];
  const attempt = async <R>(part: () => Promise<R> | R): Promise<R | undefined> => {
    try {
      return await part();
    } catch (error) {
      errors.push(error);
      return undefined;
    }
  };
  const done = await attempt(async () => ({ result: await work() }));
  for (const end of ends.toReversed()) await attempt(end);
  if (errors.length > 1) throw new AggregateError(errors, "the work, or its end, has failed in several ways");
  if (done === undefined || errors.length > 0) throw errors[0];
  return done.result;
}

/** An error as people look for its cause: the first one, and behind it what else went wrong. */
export function toText(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(toText).join("\nand at the end: ");
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
