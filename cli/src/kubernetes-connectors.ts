import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { clusterNameOf } from "@headrace/contract";
import { z } from "zod";
import type { ConnectorSummary, Connectors } from "./connectors.ts";
import { UserError } from "./errors.ts";

/** Options that are kubectl's own and are passed on to it. */
export const KUBECTL_OPTIONS = {
  namespace: { type: "string", short: "n" },
  "all-namespaces": { type: "boolean", short: "A" },
  context: { type: "string" },
  kubeconfig: { type: "string" },
} as const;

export const KUBECTL_HELP = `  -n, --namespace NS  namespace of the resources
  -A, --all-namespaces  all namespaces, for list
  --context NAME, --kubeconfig FILE  as for kubectl
`;

export interface KubectlOptions {
  readonly namespace?: string | undefined;
  readonly "all-namespaces"?: boolean | undefined;
  readonly context?: string | undefined;
  readonly kubeconfig?: string | undefined;
}

const RESOURCE = "kafkaconnectors.headrace.dev";

const Connector = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.looseObject({ class: z.string().optional() }),
  status: z
    .looseObject({
      tasks: z.string().optional(),
      connectorStatus: z.looseObject({ connector: z.looseObject({ state: z.string() }) }).optional(),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().optional() }))
        .optional(),
    })
    .optional(),
});

/** Connectors as KafkaConnector resources, through kubectl with its contexts and credentials. */
export function openKubernetesConnectors(
  options: KubectlOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Connectors {
  const global = [
    ...(options.namespace === undefined ? [] : ["--namespace", options.namespace]),
    ...(options.context === undefined ? [] : ["--context", options.context]),
    ...(options.kubeconfig === undefined ? [] : ["--kubeconfig", options.kubeconfig]),
  ];
  const all = options["all-namespaces"] === true;
  const kubectl = (args: readonly string[]) =>
    run(environment["KUBECTL"] ?? "kubectl", [...global, ...args], environment);

  return {
    async list() {
      const listed = await kubectl(["get", RESOURCE, "-o", "json", ...(all ? ["--all-namespaces"] : [])]);
      const { items } = z.object({ items: z.array(Connector) }).parse(JSON.parse(listed));
      return items.map((item) => summaryOf(item, all));
    },
    async status(name) {
      const { status } = Connector.parse(JSON.parse(await kubectl(["get", RESOURCE, name, "-o", "json"])));
      return status ?? {};
    },
    async restart(name, { tasks, onlyFailed }) {
      const scope = [...(tasks ? ["includeTasks"] : []), ...(onlyFailed ? ["onlyFailed"] : [])].join(",");
      await kubectl([
        "annotate",
        RESOURCE,
        name,
        "--overwrite",
        `headrace.dev/restart=${scope === "" ? "true" : scope}`,
      ]);
    },
    async changeState(name, state) {
      await kubectl(["patch", RESOURCE, name, "--type=merge", "-p", JSON.stringify({ spec: { state } })]);
    },
  };
}

function summaryOf({ metadata, spec, status }: z.infer<typeof Connector>, withNamespace: boolean): ConnectorSummary {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return {
    name: withNamespace ? `${metadata.namespace}/${metadata.name}` : metadata.name,
    cluster: clusterNameOf(metadata.labels) ?? "",
    class: spec.class ?? "",
    state: status?.connectorStatus?.connector.state ?? "UNKNOWN",
    tasks: status?.tasks ?? "",
    message: ready?.status === "True" ? undefined : ready?.message,
  };
}

async function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: environment });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]).catch(
    (error: unknown) => {
      throw new UserError(`${command} cannot be run: ${error instanceof Error ? error.message : String(error)}`);
    },
  );
  if (code !== 0) throw new UserError(err.trim() || `${command} ended with ${code}`);
  return out;
}
