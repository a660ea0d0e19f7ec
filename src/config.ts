import type { LabelSelector } from "@headrace/contract";
import { z } from "zod";
import { FOREIGN_APIS, type ForeignApi, parseForeignApi } from "./foreign/dialect.ts";
import { parseLabelSelector } from "./label-selector.ts";

const Flag = z.stringbool({ truthy: ["true", "1", "yes", "on"], falsy: ["false", "0", "no", "off"] });
/** A DNS label, as namespaces are named. */
const Namespace = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, {
  error: ({ input }) => `"${String(input)}" is no name of a namespace`,
});
/** As leases are named, with room for what is put behind it. */
const ObjectName = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, {
  error: ({ input }) => `"${String(input)}" is no name of an object`,
});
const Port = z.coerce.number().int().min(0).max(65_535);

/** The operator's environment. An empty variable counts as not set. */
const Environment = z.object({
  HEADRACE_KUBECONFIG: z
    .string()
    .optional()
    .describe("Path of a kubeconfig file. Without it the pod's service account is used; KUBECONFIG never is."),
  HEADRACE_NAMESPACE: Namespace.optional().describe("The operator's own namespace, for its lease. Default: its pod's."),
  HEADRACE_LEASE_NAME: ObjectName.default("headrace-operator").describe(
    "Name of the lease that decides which of several operators works. One for each operator of a namespace; it stays when the selector changes.",
  ),
  HEADRACE_WATCH_NAMESPACES: z
    .string()
    .optional()
    .transform((value) => parseWatched(value))
    .pipe(z.union([z.literal("*"), z.literal("own"), z.array(Namespace).min(1)]))
    .describe("Namespaces to work in, separated by commas; * for all of them. Default: the operator's own."),
  HEADRACE_WATCH_BY_DEFAULT: z
    .enum(["own", "all"])
    .default("own")
    .describe(
      "What an empty HEADRACE_WATCH_NAMESPACES means: own, the default, or all, for OLM, which names none then.",
    ),
  HEADRACE_RESOURCE_SELECTOR: z
    .string()
    .refine((text) => parseLabelSelector(text) !== undefined, {
      error: ({ input }) => `"${String(input)}" is no label selector, as in team=shop or team in (shop,bank)`,
    })
    .optional()
    .describe(
      "Labels of the KafkaConnects to work on, with the KafkaConnectors on them; others are another operator's. Not set: all of them.",
    ),
  HEADRACE_FOREIGN_APIS: z
    .string()
    .default("")
    .transform(splitList)
    .pipe(
      z
        .array(
          z.string().refine((name) => parseForeignApi(name) !== undefined, {
            error: ({ input }) => `"${String(input)}" is none of ${FOREIGN_APIS.join(", ")}`,
          }),
        )
        .refine((names) => new Set(names.map((name) => name.split("/")[0])).size === names.length, {
          error: "names a group twice: one version of it serves all of its resources",
        }),
    )
    .describe(
      `Other operators' APIs in which KafkaConnects with the annotation headrace.dev/managed: "true" are reconciled, separated by commas: ${FOREIGN_APIS.join(", ")}.`,
    ),
  HEADRACE_WORKER_IMAGE: z
    .string()
    .default("ghcr.io/headrace/worker:0.1.0")
    .describe("Image of worker pods whose KafkaConnect names none."),
  HEADRACE_MAVEN_IMAGE: z
    .string()
    .default("docker.io/library/maven:3.9-eclipse-temurin-21")
    .describe("Image that fetches Maven artifacts of spec.build."),
  HEADRACE_RACK_BINDING: z
    .string()
    .optional()
    .describe(
      "ClusterRoleBinding that lets workers read nodes, whose subjects the operator keeps, for spec.rack.topologyKey. Not set: workers may not, and learn their zone and region only.",
    ),
  HEADRACE_ROLL_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(1_000)
    .default(300_000)
    .describe("How long a worker of a new revision may take to get ready before the last good one is restored, ms."),
  HEADRACE_OFFSETS_INTERVAL_MS: z.coerce
    .number()
    .int()
    .min(0)
    .default(300_000)
    .describe("How often status.offsets of a KafkaConnector is looked at, ms; 0 for never."),
  HEADRACE_LEADER_ELECTION: Flag.default(true).describe("Whether several operators may run, one of them working."),
  HEADRACE_NETWORK_POLICIES: Flag.default(true).describe("Whether workers get a NetworkPolicy."),
  HEADRACE_WEBHOOK: Flag.default(false).describe(
    "Whether KafkaConnects and KafkaConnectors are checked when they are applied, by a validating admission webhook.",
  ),
  HEADRACE_WEBHOOK_CONFIGURATION: z
    .string()
    .default("headrace-operator")
    .describe("Name of the ValidatingWebhookConfiguration, whose certificates and path the operator keeps."),
  HEADRACE_WEBHOOK_HOST: z.string().default("0.0.0.0").describe("Address of the webhook."),
  HEADRACE_WEBHOOK_PORT: Port.default(9443).describe("Port of the webhook; 0 for any."),
  HEADRACE_HEALTH_HOST: z.string().default("0.0.0.0").describe("Address of /healthz, /readyz and /metrics."),
  HEADRACE_HEALTH_PORT: Port.default(8080).describe("Port of /healthz, /readyz and /metrics; 0 for any."),
  HEADRACE_API_PORT: Port.optional().describe(
    "Port of the API for people, https; 0 for any. Not set: there is no such API.",
  ),
  HEADRACE_API_HOST: z.string().default("0.0.0.0").describe("Address of the API for people."),
  HEADRACE_API_CERTIFICATE_DIR: z
    .string()
    .optional()
    .describe("Directory with tls.crt and tls.key for that API. Not set: the operator makes its own."),
  HEADRACE_API_AUDIENCES: z
    .string()
    .default("")
    .transform(splitList)
    .describe("Whom the tokens of people must be meant for, separated by commas. Not set: the Kubernetes API."),
  HEADRACE_LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("Least important level that is logged."),
});

/** The operator's configuration, checked. */
export interface OperatorConfig {
  readonly kubeconfig: string | undefined;
  readonly namespace: string | undefined;
  /** Of those with one name in a namespace one works. */
  readonly leaseName: string;
  /** `own` is the operator's namespace. */
  readonly watchNamespaces: "*" | "own" | readonly string[];
  /** Which KafkaConnects are reconciled, by their labels; undefined: all of them. */
  readonly resourceSelector: { readonly text: string; readonly selector: LabelSelector } | undefined;
  /** APIs of other operators whose claimed resources are reconciled. */
  readonly foreignApis: readonly ForeignApi[];
  readonly workerImage: string;
  readonly mavenImage: string;
  /** ClusterRoleBinding that lets workers read nodes; undefined: they may not. */
  readonly rackBinding: string | undefined;
  readonly rollTimeoutMs: number;
  readonly offsetsIntervalMs: number;
  readonly leaderElection: boolean;
  readonly networkPolicies: boolean;
  /** Null: no webhook. */
  readonly webhook: { readonly configuration: string; readonly host: string; readonly port: number } | null;
  readonly healthHost: string;
  readonly healthPort: number;
  /** The API for people; undefined: there is none. */
  readonly api: ApiConfig | undefined;
  readonly logLevel: string;
}

/** Of the API for people. */
export interface ApiConfig {
  readonly host: string;
  readonly port: number;
  readonly certificateDir: string | undefined;
  readonly audiences: readonly string[];
}

/** A configuration that cannot be used; the message lists every problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the configuration from environment variables. Throws ConfigError. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): OperatorConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`);
    throw new ConfigError(problems.join("\n"));
  }
  const { data } = parsed;
  return {
    kubeconfig: data.HEADRACE_KUBECONFIG,
    namespace: data.HEADRACE_NAMESPACE,
    leaseName: data.HEADRACE_LEASE_NAME,
    watchNamespaces:
      data.HEADRACE_WATCH_NAMESPACES === "own" && data.HEADRACE_WATCH_BY_DEFAULT === "all"
        ? "*"
        : data.HEADRACE_WATCH_NAMESPACES,
    resourceSelector: toSelector(data.HEADRACE_RESOURCE_SELECTOR),
    foreignApis: data.HEADRACE_FOREIGN_APIS.flatMap((name) => parseForeignApi(name) ?? []),
    workerImage: data.HEADRACE_WORKER_IMAGE,
    mavenImage: data.HEADRACE_MAVEN_IMAGE,
    rackBinding: data.HEADRACE_RACK_BINDING,
    rollTimeoutMs: data.HEADRACE_ROLL_TIMEOUT_MS,
    offsetsIntervalMs: data.HEADRACE_OFFSETS_INTERVAL_MS,
    leaderElection: data.HEADRACE_LEADER_ELECTION,
    networkPolicies: data.HEADRACE_NETWORK_POLICIES,
    webhook: data.HEADRACE_WEBHOOK
      ? {
          configuration: data.HEADRACE_WEBHOOK_CONFIGURATION,
          host: data.HEADRACE_WEBHOOK_HOST,
          port: data.HEADRACE_WEBHOOK_PORT,
        }
      : null,
    healthHost: data.HEADRACE_HEALTH_HOST,
    healthPort: data.HEADRACE_HEALTH_PORT,
    api:
      data.HEADRACE_API_PORT === undefined
        ? undefined
        : {
            host: data.HEADRACE_API_HOST,
            port: data.HEADRACE_API_PORT,
            certificateDir: data.HEADRACE_API_CERTIFICATE_DIR,
            audiences: data.HEADRACE_API_AUDIENCES,
          },
    logLevel: data.HEADRACE_LOG_LEVEL,
  };
}

/** One line per setting, for `--help`. */
export function describeConfig(): string {
  const width = Math.max(...Object.keys(Environment.shape).map((name) => name.length));
  return Object.entries(Environment.shape)
    .map(([name, schema]) => `  ${name.padEnd(width)}  ${schema.description ?? ""}${defaultOf(schema)}`)
    .join("\n");
}

function defaultOf(schema: z.ZodType): string {
  const value = schema.safeParse(undefined);
  if (!value.success || value.data === undefined || value.data === "own") return "";
  return ` Default: ${value.data}.`;
}

function toSelector(text: string | undefined): OperatorConfig["resourceSelector"] {
  const selector = text === undefined ? undefined : parseLabelSelector(text);
  return text === undefined || selector === undefined ? undefined : { text, selector };
}

function splitList(value: string): readonly string[] {
  return value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function parseWatched(value: string | undefined): "*" | "own" | readonly string[] {
  if (value === undefined) return "own";
  const names = value.split(",").map((name) => name.trim());
  return names.includes("*") ? "*" : [...new Set(names)];
}
