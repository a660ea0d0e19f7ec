import type { StringMap } from "@headrace/contract";
import { config as key } from "@headrace/sdk";
import { chooseConverter } from "../plugins/compile-pipeline.ts";
import type { ConnectorDefinition, PluginDefinition, PluginRegistry } from "../plugins/registry.ts";
import type { PipelineParts } from "../task/record-pipeline.ts";
import type { TaskClasses } from "./channel.ts";
import { taskClassOf } from "./connector-instance.ts";

/** The name under which a plugin is known to Connect's tools: its Java class where it stands for one, otherwise its own. */
export function classNameOf(definition: Pick<PluginDefinition, "name" | "aliases">): string {
  return definition.aliases?.find((alias) => alias.includes(".")) ?? definition.name;
}

/** The classes and versions that a task is made of, for its metrics (KIP-891; names as of Apache Kafka 4.3.1). */
export function taskClassesOf(
  plugins: PluginRegistry,
  definition: ConnectorDefinition,
  worker: StringMap,
  connector: StringMap,
): TaskClasses {
  const attributes: Record<string, string> = {
    "connector-type": definition.kind,
    "connector-class": classNameOf(definition),
    "connector-version": definition.version,
    "task-class": taskClassOf(definition),
    "task-version": definition.version,
  };
  for (const use of ["key", "value", "header"] as const) {
    const chosen = chooseConverter(use, worker, connector);
    if (chosen === null) continue;
    const converter = plugins.converter(chosen.plugin);
    attributes[`${use}-converter-class`] = classNameOf(converter);
    attributes[`${use}-converter-version`] = converter.version;
  }
  return {
    attributes,
    transforms: key.splitList(connector["transforms"]).map((alias) => {
      const transform = plugins.transform(connector[`transforms.${alias}.type`] ?? "");
      return { alias, class: classNameOf(transform), version: transform.version };
    }),
    predicates: key.splitList(connector["predicates"]).map((alias) => {
      const predicate = plugins.predicate(connector[`predicates.${alias}.type`] ?? "");
      return { alias, class: classNameOf(predicate), version: predicate.version };
    }),
  };
}

/** The same pipeline with class names instead of the names that the configuration uses: error logs and dead letters show them. */
export function withClassNames(plugins: PluginRegistry, parts: PipelineParts): PipelineParts {
  const converter = <T extends { readonly plugin: string }>(part: T): T => ({
    ...part,
    plugin: classNameOf(plugins.converter(part.plugin)),
  });
  return {
    transforms: parts.transforms.map((step) => ({ ...step, plugin: classNameOf(plugins.transform(step.plugin)) })),
    key: converter(parts.key),
    value: converter(parts.value),
    header: converter(parts.header),
  };
}
