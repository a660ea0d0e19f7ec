import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Addon } from "./addon.ts";

export type {
  Addon,
  ConsumerHandle,
  NativeBatch,
  NativeError,
  NativeLogLine,
  NativeRebalance,
  NativeSettledBatch,
  ProducerHandle,
} from "./addon.ts";

const here = dirname(fileURLToPath(import.meta.url));
const packageFolder = basename(here) === "dist" ? dirname(here) : here;

/**
 * The addon, loaded once per process: `build/headrace_native.node` of this package, or the file that `HEADRACE_NATIVE` names.
 * Throws if it was not built.
 */
export const addon: Addon = load();

function load(): Addon {
  const file = process.env["HEADRACE_NATIVE"] ?? join(packageFolder, "build/headrace_native.node");
  if (!existsSync(file)) throw new Error(`The native addon ${file} does not exist; run \`make setup\` to build it.`);
  // A decoder: what the addon exports is declared in addon.ts and checked by its tests.
  return createRequire(import.meta.url)(file) as Addon;
}

/** The features that librdkafka was built with (`builtin.features`), for instance `ssl`, `zstd`, `sasl_gssapi`. */
export function features(): readonly string[] {
  return addon.features().split(",");
}

/** librdkafka's version. */
export function version(): string {
  return addon.version();
}

/**
 * Lets the kernel kill this process as soon as its parent ends, even if the event loop is blocked (`PR_SET_PDEATHSIG`). If the parent is
 * not `expectedParentPid` any more, it ended before the call, and this process exits at once. False where the system cannot do it.
 */
export function dieWithParent(expectedParentPid: number): boolean {
  return addon.dieWithParent(expectedParentPid);
}
