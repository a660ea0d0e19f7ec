import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { repoRoot } from "../cache.ts";
import type { CrdChart } from "./crd-template.ts";

const KUBERNETES = ">=1.27.0-0";

/** `Chart.yaml` of a chart; chart and application have one version, the repository's. */
export function toChartYaml(chart: CrdChart, version: string): string {
  const isOperator = chart === "headrace";
  return stringify(
    {
      apiVersion: "v2",
      name: chart,
      description: isOperator
        ? "Kafka Connect on Kubernetes without a JVM: an operator for KafkaConnect and KafkaConnector."
        : "The custom resource definitions of Headrace, for installs that apply them apart from the operator.",
      type: "application",
      version,
      appVersion: version,
      kubeVersion: KUBERNETES,
      icon: iconUrl(),
      keywords: ["kafka", "kafka-connect", "connectors", "streaming", "operator"],
      annotations: isOperator ? operatorAnnotations(version) : { "artifacthub.io/license": "Apache-2.0" },
    },
    { lineWidth: 0 },
  );
}

/** The picture itself, the one that OLM's bundle has: nothing is fetched, and there is no address that could change. */
function iconUrl(): string {
  const picture = readFileSync(join(repoRoot, "dev/olm/icon.svg"));
  return `data:image/svg+xml;base64,${picture.toString("base64")}`;
}

/** What Artifact Hub shows (artifacthub.io, "Helm annotations"). */
function operatorAnnotations(version: string): Record<string, string> {
  const images = ["operator", "worker"].map((name) => ({ name, image: `ghcr.io/headrace/${name}:${version}` }));
  const crds = ["KafkaConnect", "KafkaConnector"].map((kind) => ({
    kind,
    version: "v1",
    name: `${kind.toLowerCase()}s.headrace.dev`,
    displayName: kind,
    description: kind === "KafkaConnect" ? "A Connect cluster." : "A connector on a Connect cluster.",
  }));
  return {
    "artifacthub.io/category": "streaming-messaging",
    "artifacthub.io/license": "Apache-2.0",
    "artifacthub.io/operator": "true",
    "artifacthub.io/operatorCapabilities": "Auto Pilot",
    "artifacthub.io/images": stringify(images),
    "artifacthub.io/crds": stringify(crds),
  };
}
