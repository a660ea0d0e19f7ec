import type { ServerResponse } from "node:http";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ApiError } from "./errors.ts";

/**
 * Passes a worker's body on as it comes, with back-pressure. Throws ApiError if the worker is silent for `silenceMs` or breaks off: the caller's
 * connection is then closed before the end of the answer.
 */
export async function passBody(
  from: Response,
  to: ServerResponse,
  { silenceMs }: { readonly silenceMs: number },
  signal: AbortSignal,
): Promise<void> {
  if (from.body === null) {
    to.end();
    return;
  }
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), silenceMs);
  const watched = new Transform({
    transform(chunk, _encoding, done) {
      timer.refresh();
      done(null, chunk);
    },
  });
  // Streams of events: the caller sees the first one before there is a second.
  to.flushHeaders();
  try {
    const options = { signal: AbortSignal.any([signal, silence.signal]) };
    await pipeline(Readable.from(from.body, { objectMode: false }), watched, to, options);
  } catch (cause) {
    throw new ApiError("unreachable", "The worker broke off its answer.", { cause });
  } finally {
    clearTimeout(timer);
  }
}
