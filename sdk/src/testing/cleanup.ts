/**
 * Uses something and closes all that was opened for it, whatever happens: in the order given, each although another fails. Rejects with the
 * first failure, that of the use before those of closing.
 */
export async function withCleanup(
  use: () => Promise<void>,
  ends: () => readonly (() => Promise<void>)[],
): Promise<void> {
  const failures: unknown[] = [];
  const attempt = async (step: () => Promise<void>) => {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  };
  await attempt(use);
  for (const end of ends()) await attempt(end);
  if (failures.length > 0) throw failures[0];
}
