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
  /** Gets the label's value and nothing else; empty where there is none. */
  readonly file: string;
  /** Gets a sentence that says why there is none, if it is there: the kubelet makes it, and shows it in the pod's status. */
  readonly messageFile: string;
  /** How long a node that cannot be read is asked for again, ms; a minute if not given. */
  readonly limitMs?: number;
}

/** A right that was just given reaches every API server within this time. */
const LIMIT_MS = 60_000;
const PAUSE_MS = 1_000;

/**
 * Writes the value of a label of a node to a file, and answers it, "" for none. An API that does not answer, or refuses, is asked again for a minute;
 * then there is none: a worker that reads from far away is better than no worker. Rejects when `signal` aborts.
 */
export async function writeRack(
  reader: Pick<KubernetesReader, "get">,
  request: RackRequest,
  signal: AbortSignal,
): Promise<string> {
  const { rack, missing } = await findRack(reader, request, signal);
  writeFileSync(request.file, rack);
  if (missing !== null && existsSync(request.messageFile)) writeFileSync(request.messageFile, missing);
  return rack;
}

interface Found {
  readonly rack: string;
  /** Why it is empty, as a sentence. */
  readonly missing: string | null;
}

async function findRack(
  reader: Pick<KubernetesReader, "get">,
  { node, label, limitMs = LIMIT_MS }: RackRequest,
  signal: AbortSignal,
): Promise<Found> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    try {
      const answer = await reader.get(`/api/v1/nodes/${encodeURIComponent(node)}`, `The node ${node}`, signal);
      const rack = Node.parse(answer).metadata.labels?.[label] ?? "";
      return { rack, missing: rack === "" ? `The node ${node} has no value of the label ${label}.` : null };
    } catch (error) {
      if (!(error instanceof ConfigError) || signal.aborted) throw error;
      if (performance.now() > deadline) return { rack: "", missing: `${error.message}.` };
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}
