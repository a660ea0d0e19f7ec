import {
  API_GROUP,
  API_VERSION,
  KafkaConnectorSpec,
  KafkaConnectorStatus,
  KafkaConnectSpec,
  KafkaConnectStatus,
} from "@headrace/contract";
import type { z } from "zod";
import { type SchemaNode, toStructuralSchema } from "./crd-schema.ts";

interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly description: string;
  readonly jsonPath: string;
  readonly priority?: number;
}

interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  readonly scale: SchemaNode;
  readonly columns: readonly PrinterColumn[];
  /** CEL rules for the whole resource. */
  readonly rules: readonly SchemaNode[];
}

const READY = '.status.conditions[?(@.type=="Ready")]';

const STATE_COLUMNS: readonly PrinterColumn[] = [
  { name: "Ready", type: "string", description: "Whether it is as wanted.", jsonPath: `${READY}.status` },
  { name: "Reason", type: "string", description: "Why it is ready or not.", jsonPath: `${READY}.reason` },
  {
    name: "Message",
    type: "string",
    description: "The reason as a sentence.",
    jsonPath: `${READY}.message`,
    priority: 1,
  },
  { name: "Age", type: "date", description: "Time since it was made.", jsonPath: ".metadata.creationTimestamp" },
];

const DEFINITIONS: readonly Definition[] = [
  {
    kind: "KafkaConnect",
    plural: "kafkaconnects",
    shortName: "kc",
    description: "A Kafka Connect cluster: workers that form a group and run connectors.",
    spec: KafkaConnectSpec,
    status: KafkaConnectStatus,
    rules: [
      {
        // Services need a label that begins with a letter; <name>-connect-<hash> is a label value of at most 63 characters.
        rule: "self.metadata.name.size() <= 44 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message:
          "the name of a KafkaConnect must have at most 44 characters: small letters, digits and '-', beginning with a letter",
      },
    ],
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.labelSelector",
    },
    columns: [
      { name: "Desired", type: "integer", description: "Workers wanted.", jsonPath: ".spec.replicas" },
      { name: "Workers", type: "integer", description: "Workers ready.", jsonPath: ".status.replicas" },
      ...STATE_COLUMNS,
      { name: "URL", type: "string", description: "The REST API.", jsonPath: ".status.url", priority: 1 },
    ],
  },
  {
    kind: "KafkaConnector",
    plural: "kafkaconnectors",
    shortName: "kctr",
    description: "A connector on a KafkaConnect, which the label headrace.dev/cluster names.",
    spec: KafkaConnectorSpec,
    status: KafkaConnectorStatus,
    rules: [],
    scale: {
      specReplicasPath: ".spec.tasksMax",
      statusReplicasPath: ".status.tasksMax",
      labelSelectorPath: ".status.labelSelector",
    },
    columns: [
      {
        name: "Cluster",
        type: "string",
        description: "The KafkaConnect that runs it.",
        jsonPath: ".metadata.labels.headrace\\.dev/cluster",
      },
      { name: "Class", type: "string", description: "Connector plugin.", jsonPath: ".spec.class" },
      {
        name: "State",
        type: "string",
        description: "State of the connector.",
        jsonPath: ".status.connectorStatus.connector.state",
      },
      {
        name: "Tasks",
        type: "string",
        description: "Tasks in the wanted state out of those expected.",
        jsonPath: ".status.tasks",
      },
      ...STATE_COLUMNS,
      { name: "Max", type: "integer", description: "Tasks at most.", jsonPath: ".spec.tasksMax", priority: 1 },
    ],
  },
];

/** The CustomResourceDefinitions by the name of their file in `crds/`. */
export function customResourceDefinitions(): ReadonlyMap<string, SchemaNode> {
  return new Map(
    DEFINITIONS.map((definition) => [`${definition.plural}.${API_GROUP}.yaml`, toResourceDefinition(definition)]),
  );
}

function toResourceDefinition(definition: Definition): SchemaNode {
  const { kind, plural, shortName, description, spec, status, scale, columns, rules } = definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${API_GROUP}` },
    spec: {
      group: API_GROUP,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ["headrace"],
      },
      versions: [
        {
          name: API_VERSION,
          served: true,
          storage: true,
          subresources: { status: {}, scale },
          additionalPrinterColumns: columns,
          schema: {
            openAPIV3Schema: {
              type: "object",
              description,
              required: ["spec"],
              ...(rules.length === 0 ? {} : { "x-kubernetes-validations": rules }),
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: { type: "object" },
                spec: toStructuralSchema(spec),
                // A resource that nobody has looked at yet is on its way, for kstatus; without a status it would count as current.
                status: { ...toStructuralSchema(status), default: { observedGeneration: -1 } },
              },
            },
          },
        },
      ],
    },
  };
}
