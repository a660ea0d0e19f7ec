import { parseArgs } from "node:util";
import { createRestClient, REST_HELP, REST_OPTIONS } from "./connect-rest.ts";
import type { Console } from "./console.ts";
import { EXIT, UsageError } from "./errors.ts";
import { KUBECTL_HELP, KUBECTL_OPTIONS, openKubernetesConnectors } from "./kubernetes-connectors.ts";
import { openRestConnectors } from "./rest-connectors.ts";
import { toTable } from "./table.ts";

export const CONNECTORS_HELP = `Usage: headrace connectors list [OPTION]...
       headrace connectors status NAME [OPTION]...
       headrace connectors restart NAME [--tasks] [--only-failed] [OPTION]...
       headrace connectors pause|resume|stop NAME... [OPTION]...

With --connect it talks to a worker, whatever made the connectors; without, to Kubernetes through kubectl, and changes the
KafkaConnector resources, from which the operator would put back what was changed behind it.

  --tasks             restart the tasks, too
  --only-failed       restart only what has failed
  -o, --output json   print JSON
  -h, --help          print this

A worker:
${REST_HELP}
Kubernetes:
${KUBECTL_HELP}`;

/** A connector as it is, in a few words. */
export interface ConnectorSummary {
  readonly name: string;
  readonly cluster?: string | undefined;
  readonly class: string;
  readonly state: string;
  /** For instance 2/3. */
  readonly tasks: string;
  readonly message?: string | undefined;
}

export interface RestartOptions {
  readonly tasks: boolean;
  readonly onlyFailed: boolean;
}

/** Where connectors are looked after: a worker's REST API, or resources in Kubernetes. */
export interface Connectors {
  list(): Promise<readonly ConnectorSummary[]>;
  /** All that is known, as JSON. */
  status(name: string): Promise<unknown>;
  restart(name: string, options: RestartOptions): Promise<void>;
  changeState(name: string, state: "running" | "paused" | "stopped"): Promise<void>;
}

const STATES = { pause: "paused", resume: "running", stop: "stopped" } as const;

/** `headrace connectors`. */
export async function runConnectors(
  args: readonly string[],
  console: Console & { readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...REST_OPTIONS,
      ...KUBECTL_OPTIONS,
      tasks: { type: "boolean", default: false },
      "only-failed": { type: "boolean", default: false },
      output: { type: "string", short: "o" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    console.out(CONNECTORS_HELP);
    return EXIT.ok;
  }
  if (values.output !== undefined && values.output !== "json") throw new UsageError(`-o ${values.output} is not json`);
  const [verb, ...names] = positionals;
  const user = values.user ?? console.environment["HEADRACE_CONNECT_USER"];
  const { connect } = values;
  const connectors =
    connect === undefined
      ? openKubernetesConnectors(values, console.environment)
      : openRestConnectors(await createRestClient({ ...values, connect, user }));
  switch (verb) {
    case "list": {
      const all = await connectors.list();
      console.out(values.output === "json" ? `${JSON.stringify(all, null, 2)}\n` : tableOf(all));
      return EXIT.ok;
    }
    case "status": {
      for (const name of required(names)) console.out(`${JSON.stringify(await connectors.status(name), null, 2)}\n`);
      return EXIT.ok;
    }
    case "restart": {
      for (const name of required(names)) {
        await connectors.restart(name, { tasks: values.tasks, onlyFailed: values["only-failed"] });
        console.out(`${name}: restart asked for\n`);
      }
      return EXIT.ok;
    }
    case "pause":
    case "resume":
    case "stop": {
      for (const name of required(names)) {
        await connectors.changeState(name, STATES[verb]);
        console.out(`${name}: ${verb} asked for\n`);
      }
      return EXIT.ok;
    }
    default:
      throw new UsageError(verb === undefined ? "a verb is missing" : `there is no verb ${verb}`);
  }
}

function required(names: readonly string[]): readonly string[] {
  if (names.length === 0) throw new UsageError("the name of a connector is missing");
  return names;
}

function tableOf(connectors: readonly ConnectorSummary[]): string {
  const withCluster = connectors.some(({ cluster }) => cluster !== undefined);
  return toTable(
    ["NAME", ...(withCluster ? ["CLUSTER"] : []), "CLASS", "STATE", "TASKS", "MESSAGE"],
    connectors.map(({ name, cluster = "", class: plugin, state, tasks, message = "" }) => [
      name,
      ...(withCluster ? [cluster] : []),
      plugin,
      state,
      tasks,
      message,
    ]),
  );
}
