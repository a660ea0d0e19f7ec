import { existsSync, mkdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

/** The directory `name` of the cache, which `fill` makes once, whoever else wants it at the time; `what` is shown meanwhile. */
export async function madeOnce(name: string, what: string, fill: (partial: string) => Promise<void>): Promise<string> {
  const target = join(cacheDir(), name);
  if (existsSync(target)) return target;
  return await withLock(target, async () => {
    if (existsSync(target)) return target;
    const partial = `${target}.${process.pid}.partial`;
    await rm(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    await step(what, async () => {
      await fill(partial);
      await rename(partial, target);
    });
    return target;
  });
}
