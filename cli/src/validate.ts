import { parseArgs } from "node:util";
import {
  AnyConfigInfos,
  convert,
  HEADRACE,
  isObject,
  KafkaConnectorSpec,
  type Manifest,
  toConnectorConfig,
  toManifest,
} from "@headrace/contract";
import { checkResource, checkTogether } from "./check-resource.ts";
import { createRestClient, messageOf, REST_HELP, REST_OPTIONS, type RestClient } from "./connect-rest.ts";
import type { Console } from "./console.ts";
import { readDocuments } from "./documents.ts";
import { EXIT } from "./errors.ts";
import type { Finding } from "./schema-rules.ts";

export const VALIDATE_HELP = `Usage: headrace validate [OPTION]... [FILE|FOLDER|-]...

Checks KafkaConnects and KafkaConnectors as the API server and the operator would: fields, values, the CRDs' rules, and
clusters in the same files that share a group or a topic. Resources of Strimzi, Event Streams and Confluent for Kubernetes are
converted first. Ends with 0 if all is well, with 3 if something is wrong.

With --connect, the configurations of connectors are also checked by a running worker, with its plugins.

${REST_HELP}  -q, --quiet         tell only what is wrong
  -h, --help          print this
`;

interface Checked {
  readonly source: string;
  readonly manifest: Manifest;
}

/** `headrace validate`. */
export async function runValidate(args: readonly string[], console: Console): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...REST_OPTIONS,
      quiet: { type: "boolean", short: "q", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    console.out(VALIDATE_HELP);
    return EXIT.ok;
  }
  const { connect } = values;
  const rest = connect === undefined ? undefined : await createRestClient({ ...values, connect });
  const resources = await readResources(positionals, console);
  const shared = checkTogether(
    resources.flatMap(({ manifest }) => (manifest.kind === "KafkaConnect" ? [manifest] : [])),
  );
  let wrong = 0;
  for (const { source, manifest } of resources) {
    const own = checkResource(manifest);
    const together = shared.filter((finding) => finding.manifest === manifest);
    const running = rest !== undefined && own.length === 0 ? await askWorker(rest, manifest) : [];
    const findings = [...own, ...together, ...running];
    const what = `${source}: ${manifest.kind} ${manifest.metadata.name}`;
    for (const { path, message } of findings) console.err(`${what}: ${path}: ${message}\n`);
    if (findings.length > 0) wrong += 1;
    else if (!values.quiet) console.out(`${what}: ok\n`);
  }
  if (resources.length === 0) console.err("there is no KafkaConnect and no KafkaConnector in what was given\n");
  return wrong > 0 || resources.length === 0 ? EXIT.findings : EXIT.ok;
}

async function readResources(paths: readonly string[], console: Console): Promise<readonly Checked[]> {
  const checked: Checked[] = [];
  const taken = new Set<string>();
  for (const { source, value } of await readDocuments(paths, console.readInput)) {
    const given = isObject(value) && value["kind"] === "List" ? value["items"] : [value];
    for (const item of Array.isArray(given) ? given : []) {
      const manifest = toManifest(item);
      if (manifest === undefined) {
        console.err(`${source}: left out, it is no Kubernetes resource\n`);
        continue;
      }
      if (manifest.apiVersion.startsWith(`${HEADRACE.group}/`)) {
        checked.push({ source, manifest });
        continue;
      }
      for (const converted of convert(item, { to: "headrace" }, taken))
        if (converted.kind === "resource") checked.push({ source, manifest: converted.manifest });
    }
  }
  return checked;
}

/** What a running worker says about a connector's configuration. */
async function askWorker(rest: RestClient, { kind, metadata, spec }: Manifest): Promise<readonly Finding[]> {
  if (kind !== "KafkaConnector") return [];
  const parsed = KafkaConnectorSpec.parse(spec);
  const { config } = toConnectorConfig(parsed.name ?? metadata.name, parsed);
  const path = `/connector-plugins/${encodeURIComponent(parsed.class)}/config/validate`;
  const answer = await rest.send("PUT", path, config);
  const infos = AnyConfigInfos.safeParse(answer.body);
  if (answer.status !== 200 || !infos.success) return [{ path: "spec.class", message: messageOf(answer) }];
  return infos.data.configs.flatMap(({ value }) =>
    value.errors.map((message) => ({ path: `spec.config.${value.name}`, message })),
  );
}
