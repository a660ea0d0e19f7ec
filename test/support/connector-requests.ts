import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type KafkaConnector, KafkaConnectors } from "#operator/kinds.ts";
import { ConfigMaps } from "#operator/kube/resources.ts";
import { openCommittedReader } from "./committed-reader.ts";
import { eventually } from "./eventually.ts";
import { connectorOf, type OperatedStack } from "./operated-stack.ts";

const Offsets = z.object({
  offsets: z.array(
    z.object({ partition: z.object({ filename: z.string() }), offset: z.object({ position: z.int() }) }),
  ),
});

/** Ten lines of two bytes each. */
export const TEN_LINES: readonly string[] = Array.from({ length: 10 }, (_, number) => String(number));

export function writeTenLines(file: string): void {
  writeFileSync(file, TEN_LINES.map((line) => `${line}\n`).join(""));
}

/** Waits until a connector's status names a topic, which is there then. */
export async function usesTopic(on: OperatedStack, connector: string, topic: string): Promise<void> {
  const has = ({ status }: KafkaConnector) => status?.topics?.includes(topic) === true;
  await on.seen(KafkaConnectors, connector, `uses ${topic}`, has);
}

/**
 * Asks for something by an annotation of ours and waits for its end: it is told in the status, and the annotation is gone. Fails unless it
 * succeeded; answers what the status tells.
 */
export async function request(
  on: OperatedStack,
  connector: string,
  { annotation, value, type }: { readonly annotation: string; readonly value: string; readonly type: string },
) {
  const name = `headrace.dev/${annotation}`;
  const told = ({ status }: KafkaConnector) => status?.operations?.find((one) => one.type === type);
  await on.annotate(KafkaConnectors, connector, { [name]: value });
  const isDone = (resource: KafkaConnector) =>
    told(resource) !== undefined && resource.metadata.annotations?.[name] === undefined;
  const operation = told(await on.seen(KafkaConnectors, connector, `${type} has ended`, isDone));
  assert.ok(operation !== undefined);
  assert.equal(operation.result, "Succeeded", operation.message);
  return operation;
}

/** Lists, alters and resets the offsets of a source of lines, which gives the lines behind them again each time. */
export async function changeOffsetsOfLines(
  on: OperatedStack,
  connector: { readonly cluster: string; readonly name: string; readonly class: string; readonly bootstrap: string },
): Promise<void> {
  const { cluster, name, bootstrap } = connector;
  const file = join(on.dir, `${name}.txt`);
  const topic = `${cluster}-${name}`;
  writeTenLines(file);
  const at = (position: number) => ({ partition: { filename: file }, offset: { position } });
  const offsetsIn = async (configMap: string) => {
    const { data } = await on.get(ConfigMaps, configMap);
    return Offsets.parse(JSON.parse(data?.["offsets.json"] ?? "")).offsets;
  };
  const data = { "offsets.json": JSON.stringify({ offsets: [at(10)] }) };
  await on.create(ConfigMaps, { metadata: { name: "wanted" }, data });
  const spec = {
    class: connector.class,
    tasksMax: 1,
    config: { file, topic },
    listOffsets: { toConfigMap: { name: "listed" } },
    alterOffsets: { fromConfigMap: { name: "wanted" } },
  };
  await on.create(KafkaConnectors, connectorOf(cluster, name, spec));
  await usesTopic(on, name, topic);
  const reader = openCommittedReader(bootstrap, topic);
  const come = async (values: readonly string[]) => {
    await eventually(`there are ${values.length} lines`, () => reader.values().length >= values.length, 180_000);
    assert.deepEqual(reader.values(), values);
    await eventually("all are committed", async () =>
      (await on.rest(cluster, "GET", `/connectors/${name}/offsets`)).text.includes('"position":20'),
    );
  };
  const snapshotOf = async ({ snapshot = "" }: { readonly snapshot?: string | undefined }) => {
    assert.match(snapshot, new RegExp(`^${name}-offsets-\\d+$`));
    return await offsetsIn(snapshot);
  };
  const annotation = "connector-offsets";
  try {
    await come(TEN_LINES);
    await request(on, name, { annotation, value: "list", type: "ListOffsets" });
    assert.deepEqual(await offsetsIn("listed"), [at(20)]);
    const altered = await request(on, name, { annotation, value: "alter", type: "AlterOffsets" });
    assert.deepEqual(await snapshotOf(altered), [at(20)]);
    await come([...TEN_LINES, ...TEN_LINES.slice(5)]);
    const reset = await request(on, name, { annotation, value: "reset", type: "ResetOffsets" });
    assert.deepEqual(await snapshotOf(reset), [at(20)]);
    await come([...TEN_LINES, ...TEN_LINES.slice(5), ...TEN_LINES]);
  } finally {
    await reader.close();
  }
}
