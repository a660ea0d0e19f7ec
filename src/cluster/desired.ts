import type { ConfigValueProblem } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import type { ConfigMap, PodDisruptionBudget, Service, ServiceAccount } from "../kube/resources.ts";
import { buildConfigMap } from "./config-map.ts";
import { buildDisruptionBudget } from "./disruption-budget.ts";
import { buildApiService, buildHeadlessService } from "./service.ts";
import { buildServiceAccount } from "./service-account.ts";
import { buildPodTemplate, type PodTemplate, revisionOf } from "./stateful-set.ts";
import { notApplied, withoutEffect } from "./without-effect.ts";
import { renderWorkerProperties } from "./worker-properties.ts";

/** All that is wanted for one KafkaConnect, but the number of pods at this moment, which `scale.ts` decides. */
export interface Desired {
  readonly serviceAccount: ServiceAccount;
  readonly configMap: ConfigMap;
  readonly services: readonly Service[];
  readonly disruptionBudget: PodDisruptionBudget;
  readonly template: PodTemplate;
  /** Hash of `template`. A pod with another one is outdated. */
  readonly revision: string;
  /** Values of `spec.config` that cannot be used. With any, nothing of this may be applied. */
  readonly problems: readonly ConfigValueProblem[];
  /** What was asked for and is not done, each as a sentence. */
  readonly warnings: readonly string[];
}

/** Builds the objects of a cluster. Equal specs give equal objects. */
export function desire(connect: KafkaConnect, defaultImage: string): Desired {
  const properties = renderWorkerProperties(connect.spec);
  const configMap = buildConfigMap(connect, properties.text);
  const template = buildPodTemplate(connect, { configMapName: configMap.metadata.name, defaultImage });
  return {
    serviceAccount: buildServiceAccount(connect),
    configMap,
    services: [buildHeadlessService(connect), buildApiService(connect)],
    disruptionBudget: buildDisruptionBudget(connect),
    template,
    revision: revisionOf(template),
    problems: properties.problems,
    warnings: [...notApplied(properties.notApplied), ...withoutEffect(connect.spec)],
  };
}
