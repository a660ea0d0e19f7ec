/** Longest trace: it is stored in the status topic and goes into headers of dead letters. */
const MAX_LENGTH = 16_384;

/** Stack text with the chain of causes, in the shape of Java's traces; what a FAILED status shows. Cut after {@link MAX_LENGTH}. */
export function formatTrace(error: unknown): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let current = error; current !== undefined && current !== null && !seen.has(current); ) {
    seen.add(current);
    parts.push(current instanceof Error ? (current.stack ?? `${current.name}: ${current.message}`) : String(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  const trace = parts.join("\nCaused by: ");
  if (trace.length <= MAX_LENGTH) return trace;
  return `${trace.slice(0, MAX_LENGTH)}\n… ${trace.length - MAX_LENGTH} more characters`;
}
