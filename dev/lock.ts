import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A lock that is held until {@link Lock.release}, or until this process ends, however it ends. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock of `path` (which need not exist), or returns null if another process of this machine holds it.
 *
 * It is a listening socket in Linux's abstract namespace (unix(7)): the kernel releases it with its process, so there is no stale lock
 * to judge by a process id that may have been given away again.
 */
export async function tryLock(path: string): Promise<Lock | null> {
  const key = createHash("sha256").update(resolve(path)).digest("hex").slice(0, 32);
  const server = createServer();
  const held = await listen(server, `\0headrace-lock-${key}`);
  if (!held) return null;
  server.unref();
  return { release: () => new Promise((done) => server.close(() => done())) };
}

/** Runs `work` while it holds the lock of `path`; waits for it first, calling `onWait` once if somebody else has it. */
export async function withLock<T>(path: string, work: () => Promise<T>, onWait: () => void = () => {}): Promise<T> {
  let lock = await tryLock(path);
  if (lock === null) onWait();
  while (lock === null) {
    await sleep(200);
    lock = await tryLock(path);
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

function listen(server: Server, name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(name, () => resolve(true));
  });
}
