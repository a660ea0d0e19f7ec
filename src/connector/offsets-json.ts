/** A document of offsets that cannot be used; the message says why, without naming the document. */
export class OffsetsError extends Error {
  override readonly name = "OffsetsError";
}

declare global {
  interface JSON {
    /** In Node 24, not yet in TypeScript's library: a piece of JSON text that `stringify` takes as it is. */
    rawJSON(text: string): object;
  }
}

/** One partition and its offset, as JSON text with every digit of 64-bit integers. */
export interface OffsetEntry {
  readonly partition: Readonly<Record<string, unknown>>;
  readonly offset: Readonly<Record<string, unknown>> | null;
}

/**
 * Reads offsets as GET /connectors/{name}/offsets has them (KIP-875). Integers beyond 2^53 become what `JSON.stringify` writes
 * unchanged. Throws OffsetsError that names the entry and the field.
 */
export function parseOffsets(text: string): readonly OffsetEntry[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, keepIntegers);
  } catch (error) {
    throw new OffsetsError(`it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(parsed)) throw new OffsetsError('it must be an object with the list "offsets"');
  const unknown = Object.keys(parsed).find((key) => key !== "offsets");
  if (unknown !== undefined) throw new OffsetsError(`"${unknown}" is not known; it must have "offsets" only`);
  const { offsets } = parsed;
  if (!Array.isArray(offsets)) throw new OffsetsError('"offsets" must be a list');
  return offsets.map(parseEntry);
}

function parseEntry(entry: unknown, index: number): OffsetEntry {
  const where = `offsets[${index}]`;
  if (!isObject(entry)) throw new OffsetsError(`${where} must be an object with "partition" and "offset"`);
  const unknown = Object.keys(entry).find((key) => key !== "partition" && key !== "offset");
  if (unknown !== undefined) throw new OffsetsError(`${where}.${unknown} is not known`);
  const { partition, offset = null } = entry;
  if (!isObject(partition)) throw new OffsetsError(`${where}.partition must be an object`);
  if (offset !== null && !isObject(offset))
    throw new OffsetsError(`${where}.offset must be an object, or null to forget it`);
  return { partition, offset };
}

/** The document that `parseOffsets` reads, for people. */
export function formatOffsets(offsets: readonly OffsetEntry[]): string {
  return `${JSON.stringify({ offsets }, undefined, 2)}\n`;
}

function keepIntegers(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(source) ? JSON.rawJSON(source) : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
