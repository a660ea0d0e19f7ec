/**
 * Resolves with the results of all when all have ended. If some fail it throws the first failure, but not before: what is still on its way
 * must not meet the next attempt.
 */
export async function allEnded<R>(work: readonly Promise<R>[]): Promise<readonly R[]> {
  const ends = await Promise.allSettled(work);
  return ends.map((end) => {
    if (end.status === "rejected") throw end.reason;
    return end.value;
  });
}
