import { open, readFile, realpath, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { ConnectError } from "../errors.ts";
import { decodeJavaMap, encodeJavaMap, type JavaEntry, JavaMapError } from "./java-map.ts";

const KEY = "offset.storage.file.filename";

/**
 * Reads an offset file; a missing or empty one has no entries, as in Java. Rejects with ConnectError `config-invalid` if it cannot be
 * understood: starting without the offsets that it may hold would repeat everything.
 */
export async function readOffsetFile(file: string): Promise<readonly JavaEntry[]> {
  let data: Buffer;
  try {
    data = await readFile(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw new ConnectError("config-invalid", `${KEY}=${file} cannot be read: ${reason(error)}`, { cause: error });
  }
  if (data.length === 0) return [];
  try {
    return decodeJavaMap(data);
  } catch (error) {
    if (!(error instanceof JavaMapError)) throw error;
    throw new ConnectError(
      "config-invalid",
      `${KEY}=${file} is no offset file of Kafka Connect: ${error.message}. Restore it from a copy, or move it away to start without offsets`,
      { cause: error },
    );
  }
}

/** Replaces an offset file in one step: whoever reads it, after a crash too, finds the old entries or the new ones. */
export async function writeOffsetFile(file: string, entries: readonly JavaEntry[]): Promise<void> {
  try {
    // A link stays a link.
    const target = await realpath(file).catch(() => file);
    const scratch = `${target}.${process.pid}.tmp`;
    try {
      const handle = await open(scratch, "w", 0o644);
      try {
        await handle.writeFile(encodeJavaMap(entries));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(scratch, target);
    } catch (error) {
      await rm(scratch, { force: true });
      throw error;
    }
    const directory = await open(dirname(target), "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    const advice = "make its directory writable, or free space";
    throw new ConnectError("unavailable", `${KEY}=${file} cannot be written: ${reason(error)}; ${advice}`, {
      cause: error,
    });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
