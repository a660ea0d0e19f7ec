import { connectorNameOf, type KafkaConnectorStatus } from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";
import type { KubeObject } from "../kube/client.ts";
import type { ConnectClient, Worker } from "../worker/connect-client.ts";
import { isConnectError } from "../worker/connect-client.ts";
import { formatOffsets, type OffsetEntry, OffsetsError, parseOffsets } from "./offsets-json.ts";
import type { OffsetsStore } from "./offsets-store.ts";
import { operationOf, type Request } from "./requests.ts";

export type OperationStatus = NonNullable<KafkaConnectorStatus["operations"]>[number];

/** How something that was asked for once has ended. */
export interface OperationResult {
  readonly type: OperationStatus["type"];
  readonly succeeded: boolean;
  /** A sentence. */
  readonly message: string;
  /** ConfigMap with the offsets from before. */
  readonly snapshot?: string;
  /** What asked for it; null for what the specification itself asks for. */
  readonly request: Request | null;
}

export interface OperationContext {
  readonly connect: ConnectClient;
  readonly offsets: OffsetsStore;
  readonly resource: KafkaConnector;
  readonly worker: Worker;
  readonly nowMs: number;
}

/**
 * Why a request cannot be carried out, as a sentence; null if it can be tried. Looked at before anything is touched, so that a
 * connector is not stopped for offsets that could not be set.
 */
export async function objection(
  request: Request,
  { resource, offsets }: Pick<OperationContext, "resource" | "offsets">,
  signal: AbortSignal,
): Promise<string | null> {
  if (request.kind !== "offsets") return null;
  const { listOffsets, alterOffsets } = resource.spec;
  switch (request.verb) {
    case "list":
      return listOffsets === undefined ? "spec.listOffsets.toConfigMap.name must say where the offsets go." : null;
    case "alter":
      if (alterOffsets === undefined)
        return "spec.alterOffsets.fromConfigMap.name must say where the offsets come from.";
      try {
        const wanted = await offsets.read(mapOf(resource, alterOffsets.fromConfigMap.name), null, signal);
        return wanted.length === 0 ? `ConfigMap ${alterOffsets.fromConfigMap.name} holds no offsets.` : null;
      } catch (error) {
        if (error instanceof OffsetsError) return `${error.message}.`;
        throw error;
      }
    case "reset":
      return null;
    default:
      throw new Error(`unreachable: ${request.verb satisfies never}`);
  }
}

/**
 * Carries a request out. What the worker or the user has to say no to is a result; what may pass by itself (a rebalance, a worker
 * that is away) throws ConnectRestError or KubeError.
 */
export async function carryOut(
  request: Request,
  context: OperationContext,
  signal: AbortSignal,
): Promise<OperationResult> {
  const type = operationOf(request);
  try {
    return { type, request, succeeded: true, ...(await attempt(request, context, signal)) };
  } catch (error) {
    const refused = error instanceof OffsetsError || isConnectError(error, "rejected", "not-found", "malformed");
    if (!refused) throw error;
    return { type, request, succeeded: false, message: sentence(error.message) };
  }
}

async function attempt(
  request: Request,
  context: OperationContext,
  signal: AbortSignal,
): Promise<Pick<OperationResult, "message" | "snapshot">> {
  const { connect, worker, resource, offsets } = context;
  const name = connectorNameOf(resource);
  switch (request.kind) {
    case "restart": {
      await connect.restart(worker, name, request.scope, signal);
      return { message: describeRestart(request.scope) };
    }
    case "restart-task":
      await connect.restartTask(worker, name, request.task, signal);
      return { message: `Task ${request.task} was restarted.` };
    case "offsets":
      break;
    default:
      throw new Error(`unreachable: ${request satisfies never}`);
  }
  const current = parseOffsets(await connect.offsets(worker, name, signal));
  switch (request.verb) {
    case "list": {
      const map = resource.spec.listOffsets?.toConfigMap.name ?? "";
      await offsets.write(mapOf(resource, map), resource, current, signal);
      return { message: `${count(current)} written to ConfigMap ${map}.` };
    }
    case "alter": {
      const map = resource.spec.alterOffsets?.fromConfigMap.name ?? "";
      const wanted = await offsets.read(mapOf(resource, map), null, signal);
      const kept = await keep(current, context, signal);
      const message = await connect.alterOffsets(worker, name, formatOffsets(wanted), signal);
      return { ...kept, message: sentence(message) };
    }
    case "reset": {
      const kept = await keep(current, context, signal);
      return { ...kept, message: sentence(await connect.resetOffsets(worker, name, signal)) };
    }
    default:
      throw new Error(`unreachable: ${request.verb satisfies never}`);
  }
}

/** The result of a request that is not carried out, and why. */
export function refuse(request: Request, message: string): OperationResult {
  return { type: operationOf(request), request, succeeded: false, message };
}

/** Sets the offsets that a new connector begins with, unless there are some already. */
export async function startFrom(context: OperationContext, signal: AbortSignal): Promise<OperationResult | "skipped"> {
  const { connect, worker, resource, offsets } = context;
  const name = connectorNameOf(resource);
  const type = "StartFrom";
  try {
    const current = parseOffsets(await connect.offsets(worker, name, signal));
    if (current.length > 0) return "skipped";
    const wanted = await firstOffsets(resource, offsets, signal);
    const message = await connect.alterOffsets(worker, name, formatOffsets(wanted), signal);
    return { type, request: null, succeeded: true, message: sentence(message) };
  } catch (error) {
    const refused = error instanceof OffsetsError || isConnectError(error, "rejected", "malformed");
    if (!refused) throw error;
    return { type, request: null, succeeded: false, message: sentence(error.message) };
  }
}

/** The offsets that `spec.startFrom` asks for. Throws OffsetsError. */
export async function firstOffsets(
  { metadata, spec }: KafkaConnector,
  offsets: OffsetsStore,
  signal: AbortSignal,
): Promise<readonly OffsetEntry[]> {
  const { configMapKeyRef, offsets: given } = spec.startFrom ?? {};
  if (configMapKeyRef === undefined) {
    const text = JSON.stringify({ offsets: given ?? [] });
    if (/\d{16}/.test(text) && hasLargeNumber(given)) {
      throw new OffsetsError(
        "a number in spec.startFrom.offsets is too large for YAML; use spec.startFrom.configMapKeyRef",
      );
    }
    return parseOffsets(text);
  }
  const { namespace = "" } = metadata;
  return await offsets.read({ namespace, name: configMapKeyRef.name }, configMapKeyRef.key, signal);
}

/** Numbers beyond 2^53 have lost digits on their way through the resource. */
function hasLargeNumber(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === "object" && value !== null && Object.values(value).some(hasLargeNumber);
}

/** Forgets the offsets of a stopped connector that is about to be deleted, keeping what they were. `resource`: whose they were. */
export async function resetBeforeRemoval(
  name: string,
  context: SnapshotContext & Pick<OperationContext, "connect" | "worker">,
  signal: AbortSignal,
): Promise<void> {
  const { connect, worker } = context;
  const current = parseOffsets(await connect.offsets(worker, name, signal));
  if (current.length === 0) return;
  await keep(current, { ...context, outlives: true }, signal);
  await connect.resetOffsets(worker, name, signal);
}

interface SnapshotContext extends Pick<OperationContext, "offsets" | "nowMs"> {
  readonly resource: KubeObject;
}

async function keep(
  current: readonly OffsetEntry[],
  { resource, offsets, nowMs, outlives = false }: SnapshotContext & { readonly outlives?: boolean },
  signal: AbortSignal,
): Promise<{ readonly snapshot?: string }> {
  if (current.length === 0) return {};
  return { snapshot: await offsets.snapshot(resource, { offsets: current, atMs: nowMs, outlives }, signal) };
}

/** The entry of `status.operations`. */
export function toOperationStatus(
  { type, succeeded, message, snapshot, request }: OperationResult,
  nowMs: number,
): OperationStatus {
  return {
    type,
    ...(request === null ? {} : { request: request.value }),
    ...(request?.id ? { requestedAt: request.id } : {}),
    result: succeeded ? "Succeeded" : "Failed",
    message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message,
    finishedAt: new Date(nowMs).toISOString(),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}

const MAX_MESSAGE = 500;

function describeRestart({
  includeTasks,
  onlyFailed,
}: {
  readonly includeTasks: boolean;
  readonly onlyFailed: boolean;
}) {
  const what = includeTasks ? "The connector and its tasks were restarted" : "The connector was restarted";
  return onlyFailed ? `${what}, as far as they had failed.` : `${what}.`;
}

function mapOf({ metadata }: KafkaConnector, name: string) {
  return { namespace: metadata.namespace ?? "", name };
}

function count(offsets: readonly OffsetEntry[]): string {
  return offsets.length === 1 ? "The offset of one partition was" : `The offsets of ${offsets.length} partitions were`;
}

function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
