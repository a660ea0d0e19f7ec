/** What names a plugin answers to. */
export interface NamedPlugin {
  readonly kind: "source" | "sink" | "converter" | "transform" | "predicate";
  readonly name: string;
  readonly aliases?: readonly string[];
}

/** Suffixes that Java leaves out of a plugin's short alias (PluginUtils.prunedName). */
const SUFFIX = {
  source: "Connector",
  sink: "Connector",
  converter: "Converter",
  transform: "Transformation",
  predicate: "Predicate",
} as const satisfies Record<NamedPlugin["kind"], string>;

/** Short forms of its aliases: the class without its package, with and without the suffix of its kind. */
export function simpleNames(plugin: NamedPlugin): ReadonlySet<string> {
  const names = new Set<string>();
  for (const alias of plugin.aliases ?? []) {
    const simple = alias.slice(alias.lastIndexOf(".") + 1);
    names.add(simple);
    const suffix = SUFFIX[plugin.kind];
    if (simple.endsWith(suffix) && simple.length > suffix.length) names.add(simple.slice(0, -suffix.length));
  }
  return names;
}

/** What messages and validations call a plugin: the Java class that it stands for, otherwise its own name. */
export function classOf(plugin: NamedPlugin): string {
  return plugin.aliases?.find((alias) => alias.includes(".")) ?? plugin.name;
}

/** Every name of a plugin, its own first. */
export function namesOf(plugin: NamedPlugin): ReadonlySet<string> {
  return new Set([plugin.name, ...(plugin.aliases ?? []), ...simpleNames(plugin)]);
}

const PLUGIN_KEY = /^(connector\.class|(key|value|header)\.converter|(transforms|predicates)\..+\.type)$/;

/** The names of plugins in resolved configurations, a connector's or a worker's. */
export function pluginNames(...configs: readonly Readonly<Record<string, string>>[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const config of configs) {
    for (const [key, value] of Object.entries(config)) if (PLUGIN_KEY.test(key)) names.add(value.trim());
  }
  return names;
}
