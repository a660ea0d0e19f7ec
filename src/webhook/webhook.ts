import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { withDeadline } from "../deadline.ts";
import { type AdmissionRequest, AdmissionReview, FINE, toResponse, type Verdict } from "./admission-review.ts";
import type { WebhookCertificates } from "./certificates.ts";
import type { WebhookMetrics } from "./metrics.ts";
import { reviewCluster } from "./review-cluster.ts";
import { type ConnectorReviewDeps, reviewConnector } from "./review-connector.ts";
import type { ReviewedGroup } from "./reviewed-group.ts";
import { openWebhookServer, type WebhookAnswer } from "./server.ts";

export interface WebhookDeps extends Omit<ConnectorReviewDeps, "connects" | "pods"> {
  /** Our own kinds, and those of other groups that are reconciled where they are. */
  readonly groups: readonly ReviewedGroup[];
  readonly certificates: WebhookCertificates;
  readonly address: { readonly host: string; readonly port: number };
  /** Whether workers may learn labels of their nodes; not, if not given. */
  readonly mayReadNodes?: boolean;
  readonly metrics: WebhookMetrics;
  readonly log: Logger;
  /** Told once, when the port is open. */
  readonly onListening?: (port: number) => void;
}

/** Certificates are looked at so often: twice within the time that a step of their replacement takes. */
const LOOK_MS = 30_000;
const RETRY_MS = 2_000;
/** The share of the API server's patience that is used; the rest is for the way there and back. */
const PATIENCE = 0.7;

/** The validating admission webhook of KafkaConnects and KafkaConnectors. `run` ends with `signal`; throws if the port cannot be had. */
export function createWebhook(deps: WebhookDeps): { run(signal: AbortSignal): Promise<void> } {
  const { certificates, log, metrics, address, onListening } = deps;

  async function review({ kind, namespace, ...change }: AdmissionRequest, signal: AbortSignal): Promise<Verdict> {
    const group = deps.groups.find((one) => one.group === kind.group);
    if (group === undefined) return FINE;
    const verdict = await reviewIn(group, { kind, ...change }, signal);
    if (verdict === FINE || deps.isWatched(namespace)) return verdict;
    const warning = `This operator does not watch namespace ${namespace}: nothing comes of the ${kind.kind}.`;
    return { ...verdict, warnings: [...verdict.warnings, warning] };
  }

  async function reviewIn(
    group: ReviewedGroup,
    { kind, object, oldObject }: Pick<AdmissionRequest, "kind" | "object" | "oldObject">,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const isNew = oldObject === null || oldObject === undefined;
    switch (kind.kind) {
      case "KafkaConnector": {
        const after = group.toConnector(object, kind.version);
        const before = isNew ? null : group.toConnector(oldObject, kind.version);
        const { connects, pods } = group;
        return after === null ? FINE : reviewConnector({ ...deps, connects, pods }, { object: after, before }, signal);
      }
      case "KafkaConnect": {
        const after = group.toConnect(object, kind.version);
        const before = isNew ? null : group.toConnect(oldObject, kind.version);
        return after === null ? FINE : reviewCluster(after, before, deps.mayReadNodes);
      }
      default:
        return FINE;
    }
  }

  /** Whatever goes wrong here is no reason to refuse a change. */
  async function judge(request: AdmissionRequest, timeoutMs: number, signal: AbortSignal): Promise<Verdict> {
    const startedAt = performance.now();
    const { kind } = request.kind;
    const ended = (result: Parameters<WebhookMetrics["reviewed"]>[1]) =>
      metrics.reviewed(kind, result, performance.now() - startedAt);
    try {
      const verdict = await withDeadline(timeoutMs * PATIENCE, (s) => review(request, s), signal);
      ended(verdict.errors.length === 0 ? "allowed" : "denied");
      return verdict;
    } catch (error) {
      const late = error instanceof Error && error.name === "TimeoutError";
      ended(late ? "timeout" : "unreadable");
      if (!late) log.error({ err: error, kind, name: request.name, namespace: request.namespace }, "review failed");
      const why = late ? "No worker answered in time." : "The operator could not read it.";
      return { errors: [], warnings: [`${why} The configuration was not checked.`] };
    }
  }

  async function answer(text: string, timeoutMs: number, signal: AbortSignal): Promise<WebhookAnswer> {
    const parsed = AdmissionReview.safeParse(parseJson(text));
    if (!parsed.success) return { status: 400, body: { message: "this is no AdmissionReview of admission.k8s.io/v1" } };
    const { request } = parsed.data;
    if (request.operation !== "CREATE" && request.operation !== "UPDATE") {
      return { status: 200, body: toResponse(request, FINE) };
    }
    return { status: 200, body: toResponse(request, await judge(request, timeoutMs, signal)) };
  }

  return {
    async run(signal) {
      const server = await openWebhookServer(address, answer);
      onListening?.(server.port);
      log.info({ port: server.port }, "webhook started");
      let waiting = false;
      try {
        while (!signal.aborted) {
          const pauseMs = await certificates.keep(signal).then(
            (material) => {
              if (material !== null) server.use(material);
              if (material === null && !waiting) log.warn("the ValidatingWebhookConfiguration does not exist");
              waiting = material === null;
              return material?.told === true ? LOOK_MS : RETRY_MS;
            },
            (error: unknown) => {
              if (!signal.aborted) log.warn({ err: error }, "certificates of the webhook could not be kept");
              return RETRY_MS;
            },
          );
          await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
        }
      } finally {
        await server.close();
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
