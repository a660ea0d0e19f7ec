import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "@headrace/sdk";
import { z } from "zod";
import type { KubernetesReader } from "./config-providers/kubernetes-reader.ts";

const Node = z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()).optional() }) });

/** What is to be read and where it goes. */
export interface RackRequest {
  /** Name of the node. */
  readonly node: string;
  /** Of its labels. */
  readonly label: string;
  /** Gets the label's value and nothing else; empty where the node has no such label. */
  readonly file: string;
  /** Gets a sentence where the node has no such label, if it is there: the kubelet makes it, and shows it in the pod's status. */
  readonly messageFile: string;
}

/** A right that was just given reaches every API server within this time. */
const LIMIT_MS = 60_000;
const PAUSE_MS = 1_000;

/**
 * Writes the value of a label of a node to a file, and answers it, "" for none. An API that does not answer, or refuses, is asked again for a minute.
 * Rejects with ConfigError, which says what to do.
 */
export async function writeRack(
  reader: Pick<KubernetesReader, "get">,
  request: RackRequest,
  signal: AbortSignal,
): Promise<string> {
  const { node, label, file, messageFile } = request;
  const { labels = {} } = Node.parse(await readNode(reader, node, signal)).metadata;
  const rack = labels[label] ?? "";
  writeFileSync(file, rack);
  if (rack === "" && existsSync(messageFile)) writeFileSync(messageFile, `The node ${node} has no label ${label}.`);
  return rack;
}

async function readNode(reader: Pick<KubernetesReader, "get">, node: string, signal: AbortSignal): Promise<unknown> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    try {
      return await reader.get(`/api/v1/nodes/${encodeURIComponent(node)}`, `The node ${node}`, signal);
    } catch (error) {
      if (!(error instanceof ConfigError) || signal.aborted || performance.now() > deadline) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}
