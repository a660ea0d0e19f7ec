import type { ConfigValueProblem } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import type {
  ConfigMap,
  NetworkPolicy,
  PodDisruptionBudget,
  Role,
  RoleBinding,
  Secret,
  Service,
  ServiceAccount,
} from "../kube/resources.ts";
import { MAVEN_IMAGE, toArtifacts } from "./artifacts.ts";
import { buildConfigMap } from "./config-map.ts";
import { workerEnvironment } from "./container.ts";
import { type Credentials, NO_CREDENTIALS } from "./credentials.ts";
import { buildDisruptionBudget } from "./disruption-budget.ts";
import { fixedOf } from "./environment.ts";
import { jmxExporter, RULES_FILE } from "./jmx-exporter.ts";
import { LOG4J_FILE, LOG4J_PROPERTIES } from "./jvm-worker.ts";
import { kafkaAccess } from "./kafka-access.ts";
import type { WantedLogging } from "./logging.ts";
import { type MetricsRules, toMetricsRules } from "./metrics-rules.ts";
import type { NamedObjects } from "./named-objects.ts";
import { buildNetworkPolicy, type OperatorPods } from "./network-policy.ts";
import { type RackSource, rackSource } from "./rack.ts";
import { buildRole, buildRoleBinding } from "./role.ts";
import { buildApiService, buildHeadlessService } from "./service.ts";
import { buildServiceAccount } from "./service-account.ts";
import { buildPodTemplate, type PodTemplate, revisionOf } from "./stateful-set.ts";
import { buildTrustSecret } from "./trust-secret.ts";
import { wantedLogging } from "./wanted-logging.ts";
import { notApplied, withoutEffect } from "./without-effect.ts";
import { renderWorkerProperties } from "./worker-properties.ts";
import type { WorkerValues } from "./worker-sources.ts";

/** All that is wanted for one KafkaConnect, but the number of pods at this moment, which `scale.ts` decides. */
export interface Desired {
  readonly serviceAccount: ServiceAccount;
  readonly role: Role;
  readonly roleBinding: RoleBinding;
  readonly configMap: ConfigMap;
  /** Trusted authorities; null: none are named. */
  readonly trustSecret: Secret | null;
  readonly services: readonly Service[];
  readonly disruptionBudget: PodDisruptionBudget;
  readonly networkPolicy: NetworkPolicy;
  readonly template: PodTemplate;
  /** Where the workers learn their rack. */
  readonly rack: RackSource;
  /** Hash of `template`. A pod with another one is outdated. */
  readonly revision: string;
  /** Values of `spec.config` that cannot be used. With any, nothing of this may be applied. */
  readonly problems: readonly ConfigValueProblem[];
  /** What the workers need and is not there, or cannot be used, each as a sentence. With any, nothing of this may be applied. */
  readonly missing: readonly string[];
  /** Levels of the workers' loggers, which change without a roll; null: they stay. */
  readonly logging: WantedLogging | null;
  /** What was asked for and is not done, each as a sentence. */
  readonly warnings: readonly string[];
}

/** What the objects of a cluster depend on beside its KafkaConnect. */
export interface Surroundings {
  readonly credentials: Credentials;
  /**
   * Not given: all credentials could be read. `why` they could not, without a full stop; those that the workers have are good as long as
   * nothing else of them changes, which is to say that they still have this revision.
   */
  readonly unreadCredentials?: { readonly why: string; readonly revision: string };
  /** Where the operator's pods are; null if that is not known. */
  readonly operator: OperatorPods | null;
  /** What configurations name by placeholders. */
  readonly named: NamedObjects;
  /** The text of `spec.logging.valueFrom`; null if there is none. */
  readonly loggingText: string | null;
  /** Why that is not known, without a full stop; not given: it is known. */
  readonly loggingUnread?: string;
  /** What the workers read of Secrets and ConfigMaps at their start, and what to say of that; nothing, if not given. */
  readonly values?: WorkerValues;
  /** The rules of `spec.metricsConfig`; none, and no workers, if not given. */
  readonly metricsRules?: MetricsRules;
  /** The certificates that workers read once, at their start; "" if they read none so. */
  readonly certificates?: string;
  /** Changes with user and password of JMX; "" if there are none. */
  readonly jmxHash?: string;
  /** Image that runs Maven; Maven's own if not given. */
  readonly mavenImage?: string;
  /** Whether workers may be given the right to read their nodes; not, if not given. */
  readonly mayReadNodes?: boolean;
}

const NO_VALUES = { hash: "", problems: [], warnings: [] } as const;

const NOTHING: Surroundings = {
  credentials: NO_CREDENTIALS,
  operator: null,
  named: { secrets: [], configMaps: [] },
  loggingText: null,
};

/** Builds the objects of a cluster. Equal inputs give equal objects. */
export function desire(resource: KafkaConnect, defaultImage: string, surroundings: Surroundings = NOTHING): Desired {
  const { credentials, operator, named, loggingText, values = NO_VALUES } = surroundings;
  const { certificates = "", jmxHash = "", mavenImage = MAVEN_IMAGE } = surroundings;
  const metrics = metricsOf(resource, surroundings);
  const { connect } = metrics;
  const { spec } = connect;
  const rack = rackSource(spec, surroundings.mayReadNodes ?? false);
  const properties = renderWorkerProperties(connect, rack);
  const log4j = spec.runtime === "Jvm" ? { [LOG4J_FILE]: LOG4J_PROPERTIES } : {};
  const configMap = buildConfigMap(connect, properties.text, {
    ...log4j,
    ...metrics.data,
    ...toArtifacts(spec).data,
  });
  const configMapName = configMap.metadata.name;
  const template = buildPodTemplate(connect, {
    configMapName,
    images: { worker: defaultImage, maven: mavenImage },
    authHash: credentials.hash,
    sourcesHash: values.hash,
    certificates,
    jmxHash,
    rack,
  });
  const access = kafkaAccess(spec);
  const { logging, warnings: aboutLogging } = wantedLogging(spec, loggingText, surroundings.loggingUnread);
  const revision = revisionOf(template);
  const { unreadCredentials: unread } = surroundings;
  const unreadProblems = unread === undefined || unread.revision === revision ? [] : [unread.why];
  const unreadWarnings = unread?.revision === revision ? [`${unread.why}. The workers go on with what they have.`] : [];
  return {
    serviceAccount: buildServiceAccount(connect),
    role: buildRole(connect, named),
    roleBinding: buildRoleBinding(connect),
    configMap,
    trustSecret: credentials.trusted === null ? null : buildTrustSecret(connect, credentials.trusted),
    services: [buildHeadlessService(connect), buildApiService(connect)],
    disruptionBudget: buildDisruptionBudget(connect),
    networkPolicy: buildNetworkPolicy(connect, operator),
    template,
    rack,
    revision,
    problems: properties.problems,
    missing: [
      ...(connect.flaws ?? []),
      ...access.problems,
      ...credentials.problems,
      ...unreadProblems,
      ...values.problems,
      ...metrics.missing,
    ],
    logging,
    warnings: [
      ...notApplied("spec.config", properties.notApplied),
      ...notApplied("spec.authentication.config", access.notApplied),
      ...notApplied(
        "spec.template.connectContainer.env",
        fixedOf(workerEnvironment(connect, rack), spec.template?.connectContainer?.env),
      ),
      ...aboutLogging,
      ...withoutEffect(spec, rack),
      ...metrics.warnings,
      ...unreadWarnings,
      ...values.warnings,
      ...(connect.remarks ?? []),
    ],
  };
}

interface Metrics {
  /** The KafkaConnect as far as it can be brought about. */
  readonly connect: KafkaConnect;
  /** Of the revision's ConfigMap. */
  readonly data: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
}

/** A worker whose agent finds no rules does not start: new clusters wait for them, and workers that are there go on without the agent. */
function metricsOf(connect: KafkaConnect, { metricsRules }: Surroundings): Metrics {
  const exporter = jmxExporter(connect.spec);
  if (exporter === null) return { connect, data: {}, missing: [], warnings: [] };
  const rules = metricsRules ?? toMetricsRules(exporter, { given: null, running: null, hasWorkers: false });
  const { text, problem, hasWorkers } = rules;
  if (text !== null) {
    const warnings = problem === null ? [] : [`spec.metricsConfig is as it was: ${problem}.`];
    return { connect, data: { [RULES_FILE]: text }, missing: [], warnings };
  }
  if (!hasWorkers) return { connect, data: {}, missing: problem === null ? [] : [problem], warnings: [] };
  const { metricsConfig: _, ...spec } = connect.spec;
  return {
    connect: { ...connect, spec },
    data: {},
    missing: [],
    warnings: [`spec.metricsConfig is not applied: ${problem}.`],
  };
}
