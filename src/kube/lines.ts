const NEWLINE = 0x0a;

/**
 * Splits a stream of bytes into lines of UTF-8. What follows the last newline is no line: it was cut off.
 * Throws RangeError if a line is longer than `maxBytes`.
 */
export async function* splitLines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncIterable<string> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end);
      yield (pending.length === 0 ? tail : Buffer.concat([...pending, tail])).toString("utf8");
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > maxBytes) throw new RangeError(`a line is longer than ${maxBytes} bytes`);
  }
}
