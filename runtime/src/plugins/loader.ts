import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { ConfigError } from "@headrace/sdk";
import { z } from "zod";
import type { PackagedPlugin, PackageManifest } from "./plugin-package.ts";
import type { PluginDefinition } from "./registry.ts";

/** The members that tell a definition's kind; what plugins do with the rest is theirs. */
const FUNCTIONS = {
  source: ["planTasks", "openTask"],
  sink: ["openTask"],
  converter: ["compile"],
  transform: ["compile"],
  predicate: ["compile"],
} as const;

const DEFINITION = z.looseObject({
  kind: z.enum(["source", "sink", "converter", "transform", "predicate"]),
  name: z.string().min(1),
  version: z.string().min(1).optional(),
  aliases: z.array(z.string().min(1)).optional(),
});

/**
 * Loads a package: runs its code. Only executors do that. Rejects with ConfigError for an entry that cannot be loaded or does not export
 * plugins; never resolves if the package's code never ends.
 */
export async function loadPackage(manifest: PackageManifest): Promise<readonly PluginDefinition[]> {
  const url = `${pathToFileURL(manifest.entry).href}?headrace=${encodeURIComponent(manifest.fingerprint)}`;
  let exported: unknown;
  try {
    exported = defaultOf(await import(url));
  } catch (cause) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new ConfigError(`${manifest.entry} cannot be loaded: ${reason}`, { cause });
  }
  if (exported === undefined) throw new ConfigError(`${manifest.entry} has no default export`);
  const list: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
  if (list.length === 0) throw new ConfigError(`${manifest.entry} exports no plugins`);
  return list.map((each, index) => toDefinition(each, `plugin ${index + 1} of ${manifest.entry}`, manifest.version));
}

/** A compiler's CommonJS has the default export as a property of what Node takes for it. */
function defaultOf(module: { readonly default?: unknown }): unknown {
  const exported = module.default;
  const isCompiled = typeof exported === "object" && exported !== null && "__esModule" in exported;
  return isCompiled && "default" in exported ? exported.default : exported;
}

/** Decoder: what a plugin's module exports. A definition without a version has its package's. */
function toDefinition(given: unknown, what: string, packageVersion: string): PluginDefinition {
  const parsed = DEFINITION.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`.trim());
    throw new ConfigError(`${what} is no definition of the sdk: ${problems.join("; ")}`);
  }
  const { kind, name, version } = parsed.data;
  for (const member of FUNCTIONS[kind]) {
    if (typeof parsed.data[member] !== "function") throw new ConfigError(`${what}, ${name}, has no function ${member}`);
  }
  if (!(parsed.data["config"] instanceof z.ZodObject)) {
    throw new ConfigError(`${what}, ${name}, has no config: it must be a zod object schema`);
  }
  return Object.assign({}, given, { version: version ?? packageVersion }) as PluginDefinition;
}

/** What the catalog is told of a definition. */
export function toPackagedPlugin(definition: PluginDefinition): PackagedPlugin {
  const { kind, name, version, aliases } = definition;
  const headers = kind === "converter" && definition.compileHeader !== undefined;
  return { kind, name, version, headers, ...(aliases === undefined ? {} : { aliases: [...aliases] }) };
}

/** What plugins may import without bringing it: the worker's own copies, so that there is one of each. */
const SHARED = /^(@headrace\/sdk|zod)(\/|$)/;

/**
 * Lets plugins find `@headrace/sdk` (always the worker's) and zod (their own, if they have one), those that are CommonJS too: they get the
 * modules that others import. Call it once per process.
 */
export function shareSdk(): void {
  registerHooks({
    resolve(specifier, context, next) {
      if (!SHARED.test(specifier)) return next(specifier, context);
      const own = () =>
        context.conditions?.includes("require")
          ? { url: import.meta.resolve(specifier), shortCircuit: true }
          : next(specifier, { ...context, parentURL: import.meta.url });
      if (specifier.startsWith("@headrace/sdk")) return own();
      try {
        return next(specifier, context);
      } catch {
        return own();
      }
    },
  });
}
