import type { Logger } from "../log.ts";
import { pause } from "../pause.ts";
import { type FoundPackages, findPackages, type ManifestProblem } from "./manifest.ts";
import type { PackagedPlugin, PackageManifest, PluginPackage } from "./plugin-package.ts";

/**
 * The worker process's view of `plugin.path`: which packages there are, which of them can be loaded, and what they have. It reads
 * `package.json` files only; their code is run by probes, which are processes of their own (DESIGN: processes).
 */
export interface Inventory {
  /** Looks at `plugin.path` and tries what is new or has changed. Resolves when all of that is known. */
  scan(signal: AbortSignal): Promise<void>;
  /** Scans again and again until the signal aborts; its rejections are logged. */
  watch(signal: AbortSignal): Promise<void>;
  packages(): readonly PluginPackage[];
  broken(): readonly BrokenPackage[];
}

/** A package, or a directory that should be one, that cannot be used. */
export interface BrokenPackage {
  readonly directory: string;
  /** null: its `package.json` does not tell. */
  readonly name: string | null;
  readonly version: string | null;
  readonly problem: string;
}

export interface InventoryOptions {
  readonly paths: readonly string[];
  /** Loads a package in a process that nothing else depends on; rejects if that fails, hangs or crashes. */
  readonly probe: (manifest: PackageManifest, signal: AbortSignal) => Promise<readonly PackagedPlugin[]>;
  readonly onChange: (change: InventoryChange) => void;
  readonly intervalMs: number;
  readonly now: () => number;
  readonly log: Logger;
}

/** What a scan found that was not so before. */
export interface InventoryChange {
  /** Can be used from now on. */
  readonly added: readonly PluginPackage[];
  /** One that was there is gone or has changed in its place, so that processes that have loaded it are outdated. */
  readonly replaced: boolean;
}

interface Broken {
  readonly manifest: PackageManifest;
  readonly problem: string;
  readonly attempts: number;
  readonly nextAtMs: number;
}

/** Packages that are tried at the same time. */
const LANES = 2;
/** A broken package is tried again ever more rarely: it may just have been copied while it was looked at. */
const MAX_RETRY_MS = 600_000;

/** Creates an empty inventory. */
export function createInventory(options: InventoryOptions): Inventory {
  const { paths, probe, intervalMs, now, log } = options;
  let good: readonly PluginPackage[] = [];
  let broken = new Map<string, Broken>();
  let problems: readonly ManifestProblem[] = [];

  /** One at a time: each starts from what the one before has found. */
  let last: Promise<void> = Promise.resolve();
  const scanNext = (signal: AbortSignal): Promise<void> => {
    const next = last.then(() => scan(signal));
    last = next.catch(() => undefined);
    return next;
  };

  async function scan(signal: AbortSignal): Promise<void> {
    const found: FoundPackages = await findPackages(paths, signal);
    for (const problem of found.problems) {
      if (!problems.some((known) => known.directory === problem.directory && known.problem === problem.problem)) {
        log.error({ ...problem }, "plugin package cannot be used");
      }
    }
    problems = found.problems;
    const same = (a: PackageManifest, b: PackageManifest) => a.entry === b.entry && a.fingerprint === b.fingerprint;
    const kept = good.filter((each) => found.packages.some((manifest) => same(each, manifest)));
    const replaced = kept.length < good.length;
    const stillBroken = new Map<string, Broken>();
    const due: PackageManifest[] = [];
    for (const manifest of found.packages) {
      if (kept.some((each) => same(each, manifest))) continue;
      const known = broken.get(manifest.entry);
      if (known !== undefined && same(known.manifest, manifest)) stillBroken.set(manifest.entry, known);
      if (known === undefined || !same(known.manifest, manifest) || known.nextAtMs <= now()) due.push(manifest);
    }
    const added: PluginPackage[] = [];
    const lanes = Array.from({ length: LANES }, async () => {
      for (let manifest = due.shift(); manifest !== undefined; manifest = due.shift()) {
        const { entry, name, version } = manifest;
        try {
          const plugins = await probe(manifest, signal);
          added.push({ ...manifest, plugins });
          stillBroken.delete(entry);
          log.info({ package: name, version, plugins: plugins.map((each) => each.name) }, "plugin package found");
        } catch (error) {
          if (signal.aborted) throw error;
          const problem = error instanceof Error ? error.message : String(error);
          const attempts = (stillBroken.get(entry)?.attempts ?? 0) + 1;
          const nextAtMs = now() + Math.min(intervalMs * 2 ** (attempts - 1), MAX_RETRY_MS);
          if (attempts === 1) log.error({ package: name, version, problem }, "plugin package cannot be used");
          stillBroken.set(entry, { manifest, problem, attempts, nextAtMs });
        }
      }
    });
    await Promise.all(lanes);
    broken = stillBroken;
    good = [...kept, ...added].toSorted((a, b) => (a.directory < b.directory ? -1 : 1));
    if (added.length > 0 || replaced) options.onChange({ added, replaced });
  }

  return {
    scan: scanNext,
    async watch(signal) {
      while (!signal.aborted) {
        await pause(intervalMs, signal);
        try {
          if (!signal.aborted) await scanNext(signal);
        } catch (error) {
          if (!signal.aborted) log.warn({ error }, "plugin.path could not be looked at, trying again");
        }
      }
    },
    packages: () => good,
    broken: () => [
      ...[...broken.values()].map(({ manifest: { directory, name, version }, problem }) => ({
        directory,
        name,
        version,
        problem,
      })),
      ...problems.map(({ directory, problem }) => ({ directory, name: null, version: null, problem })),
    ],
  };
}
