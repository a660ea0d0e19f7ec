import { KUBERNETES_PROVIDERS, type StringMap } from "@headrace/contract";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import { providersIn } from "./sources.ts";

/**
 * What a connector asks for that Java's workers do not do, each as a sentence; nothing on Headrace's. `config`: what is wanted of the workers.
 * A provider that they do not have leaves its placeholders as they are: the connector would take the text for the value.
 */
export function withoutEffectOnJvm(
  { spec }: Pick<KafkaConnector, "spec">,
  config: StringMap,
  connect: Pick<KafkaConnect, "spec"> | undefined,
): readonly string[] {
  if (connect?.spec.runtime !== "Jvm") return [];
  const listed = String(connect.spec.config?.["config.providers"] ?? "").split(",");
  const named = new Set(listed.map((name) => name.trim()));
  const missing = [...providersIn(config)].filter(
    ([name]) => Object.hasOwn(KUBERNETES_PROVIDERS, name) && !named.has(name),
  );
  return [
    ...missing.map(
      ([name, keys]) =>
        `${keys.join(", ")}: \${${name}:…} stays as it is, since workers of runtime: Jvm have no such config provider; name one in spec.config of the KafkaConnect.`,
    ),
    ...(spec.resources?.limits?.["memory"] === undefined
      ? []
      : [
          "Without effect with runtime: Jvm: spec.resources.limits.memory; the worker's memory is for all of its connectors.",
        ]),
  ];
}
