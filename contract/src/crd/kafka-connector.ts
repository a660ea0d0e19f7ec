import { z } from "zod";
import { Conditions } from "./condition.ts";
import { ConfigValues } from "./config-values.ts";

/** What a user asks of a connector. Strimzi's v1 shape. */
export const KafkaConnectorSpec = z
  .object({
    class: z
      .string()
      .min(1)
      .describe(
        "Connector plugin: a name, an alias or a Java class name from the KafkaConnect's status.connectorPlugins.",
      ),
    tasksMax: z.int().min(1).optional().describe("Number of tasks at most. Kafka Connect's 1 if not given."),
    version: z.string().min(1).optional().describe("Plugin version or version range, where several are installed."),
    config: ConfigValues.optional().describe(
      "Configuration of the connector. name, connector.class, tasks.max and connector.plugin.version come from the fields beside it.",
    ),
    state: z
      .enum(["running", "paused", "stopped"])
      .default("running")
      .describe("running: at work. paused: tasks keep what they hold, no records move. stopped: no tasks at all."),
    deletionPolicy: z
      .enum(["Delete", "Orphan"])
      .default("Delete")
      .describe("What becomes of the connector when this resource is deleted. Orphan leaves it running."),
  })
  .describe("The connector that is wanted.");
export type KafkaConnectorSpec = z.infer<typeof KafkaConnectorSpec>;

const InstanceStatus = z.object({
  state: z.string().describe("RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED or RESTARTING."),
  worker_id: z.string().describe("Worker that it runs on."),
  trace: z.string().optional().describe("Why it failed; the beginning of the stack trace."),
  version: z.string().optional().describe("Version of the plugin that runs."),
});

const TaskStatus = z.object({ id: z.int().describe("Number of the task."), ...InstanceStatus.shape });

/** What the operator has seen of a connector. */
export const KafkaConnectorStatus = z
  .object({
    conditions: Conditions.optional(),
    observedGeneration: z.int().optional().describe("The generation of spec that this status is about."),
    connectorStatus: z
      .object({
        name: z.string().describe("Name of the connector."),
        connector: InstanceStatus.describe("The connector itself."),
        tasks: z.array(TaskStatus).meta({ "x-kubernetes-list-type": "atomic" }).describe("Its tasks."),
        type: z.string().describe("source or sink."),
      })
      .optional()
      .describe("What the workers report, as of Kafka Connect's GET /connectors/{name}/status."),
    tasksMax: z.int().optional().describe("spec.tasksMax, or else the number of tasks."),
    tasks: z.string().optional().describe("Tasks in the wanted state out of those expected, for instance 2/3."),
    topics: z.array(z.string()).optional().describe("Topics that the connector has used."),
    labelSelector: z.string().optional().describe("Selects the worker pods of the cluster, for autoscalers."),
    connectCluster: z
      .object({
        name: z.string().describe("Name of the KafkaConnect."),
        uid: z.string().describe("Identity of the KafkaConnect."),
      })
      .optional()
      .describe(
        "The KafkaConnect on which the operator made or adopted the connector. Only there it is deleted with this resource.",
      ),
  })
  .describe("The connector as it is.");
export type KafkaConnectorStatus = z.infer<typeof KafkaConnectorStatus>;

/** A KafkaConnector resource, for instance as read from a YAML file. */
export const KafkaConnector = z.object({
  apiVersion: z.string(),
  kind: z.literal("KafkaConnector"),
  metadata: z.looseObject({ name: z.string() }),
  spec: KafkaConnectorSpec,
  status: KafkaConnectorStatus.optional(),
});
export type KafkaConnector = z.infer<typeof KafkaConnector>;
