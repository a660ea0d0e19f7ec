import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { ConvertError, type ConvertedDocument, convert, type Note, TARGETS, type Target } from "@headrace/contract";
import type { Console } from "./console.ts";
import { readDocuments, toYaml } from "./documents.ts";
import { EXIT, UsageError, UserError } from "./errors.ts";

export const CONVERT_HELP = `Usage: headrace convert [OPTION]... [FILE|FOLDER|-]...

Converts resources of Strimzi (v1, v1beta2), IBM Event Streams and Confluent for Kubernetes, and JSON of Kafka Connect's
REST API, to Headrace's resources, or from there to one of those. Names of connectors, groups and topics stay the same.
Reads standard input if no file is given; a file may have several documents. Other resources are passed on as they are.

What has no counterpart is told on standard error and stands as a comment above the resource.

  --to TARGET         headrace (default), strimzi, event-streams, confluent, or rest (JSON for POST /connectors)
  --runtime RUNTIME   headrace (default), or jvm: Strimzi's and Event Streams' clusters keep their image and run it
  --cluster NAME      KafkaConnect of connectors that do not say theirs, such as those in JSON
  -n, --namespace NS  namespace of resources that do not say theirs
  -o, --output FILE   write there instead of to standard output
  --strict            end with 3 if anything was dropped
  -h, --help          print this

JSON of the REST API: a body of POST /connectors, {"name", "config"}; a list of those; a bare configuration, whose name is
the file's if it has none; or everything that runs:
  curl -s 'http://connect:8083/connectors?expand=info&expand=status' | headrace convert --cluster my-connect
`;

/** `headrace convert`. */
export async function runConvert(args: readonly string[], console: Console): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      to: { type: "string", default: "headrace" },
      runtime: { type: "string", default: "headrace" },
      cluster: { type: "string" },
      namespace: { type: "string", short: "n" },
      output: { type: "string", short: "o" },
      strict: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    console.out(CONVERT_HELP);
    return EXIT.ok;
  }
  const to = targetOf(values.to);
  const runtime = runtimeOf(values.runtime);
  const taken = new Set<string>();
  const texts: string[] = [];
  let drops = 0;
  for (const { source, stem, value } of await readDocuments(positionals, console.readInput)) {
    const { cluster, namespace } = values;
    for (const document of convertOne(source, () =>
      convert(value, { to, runtime, cluster, namespace, connectorName: stem }, taken),
    )) {
      drops += tell(console, source, document);
      const text = toText(document);
      if (text !== undefined) texts.push(text);
    }
  }
  const all = to === "rest" ? texts.join("") : texts.join("---\n");
  if (values.output === undefined) console.out(all);
  else await writeFile(values.output, all);
  return values.strict && drops > 0 ? EXIT.findings : EXIT.ok;
}

function targetOf(given: string): Target {
  const target = TARGETS.find((one) => one === given);
  if (target === undefined) throw new UsageError(`--to ${given} is none of ${TARGETS.join(", ")}`);
  return target;
}

function runtimeOf(given: string): "Headrace" | "Jvm" {
  switch (given.toLowerCase()) {
    case "headrace":
      return "Headrace";
    case "jvm":
      return "Jvm";
    default:
      throw new UsageError(`--runtime ${given} is neither headrace nor jvm`);
  }
}

function convertOne(source: string, work: () => readonly ConvertedDocument[]): readonly ConvertedDocument[] {
  try {
    return work();
  } catch (error) {
    if (error instanceof ConvertError) throw new UserError(`${source}: ${error.message}`);
    throw error;
  }
}

/** Tells what has to be known about a document; answers how much of it was dropped. */
function tell({ err }: Console, source: string, document: ConvertedDocument): number {
  if (document.kind === "untouched") {
    const passed = document.value !== undefined;
    err(`${source}: ${document.what} is ${passed ? "passed on as it is" : "left out: it has no counterpart"}\n`);
    return passed ? 0 : 1;
  }
  const what =
    document.kind === "connector"
      ? `connector ${document.connector.name}`
      : `${document.manifest.kind} ${document.manifest.metadata.name}`;
  for (const note of document.notes) err(`${source}: ${what}: ${lineOf(note)}\n`);
  return document.notes.filter(({ kind }) => kind === "dropped").length;
}

const WORDS = { dropped: "dropped", changed: "look at", "no-effect": "no effect" } as const;

function lineOf({ kind, message }: Note): string {
  return `${WORDS[kind]}: ${message}`;
}

function toText(document: ConvertedDocument): string | undefined {
  switch (document.kind) {
    case "connector":
      return `${JSON.stringify(document.connector, null, 2)}\n`;
    case "untouched":
      return document.value === undefined ? undefined : toYaml(document.value, []);
    case "resource":
      return toYaml(document.manifest, document.notes.map(lineOf));
    default:
      throw new Error(`unreachable: ${document satisfies never}`);
  }
}
