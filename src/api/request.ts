import type { ObjectKey } from "../kube/client.ts";
import type { AccessQuestion } from "../kube/reviews.ts";
import { ApiError } from "./errors.ts";

/** A request for the workers of a cluster. */
export interface PassedRequest {
  readonly cluster: ObjectKey;
  /** What the caller needs the right to do with the KafkaConnect. */
  readonly verb: AccessQuestion["verb"];
  /** Path and query at the worker, as they came. */
  readonly path: string;
}

/** What stands before the path at the worker. */
export function prefixOf({ namespace, name }: ObjectKey): string {
  return `/api/v1/namespaces/${namespace}/kafkaconnects/${name}`;
}

const TARGET = /^\/api\/v1\/namespaces\/([^/?]+)\/kafkaconnects\/([^/?]+)(\/[^?]*)?(\?.*)?$/;
/** RFC 1123 labels and subdomains, as Kubernetes names things. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/;
const PRINTABLE = /^[\x21-\x7e]+$/;

const VERBS: Readonly<Record<string, AccessQuestion["verb"]>> = {
  GET: "get",
  HEAD: "get",
  PUT: "update",
  POST: "update",
  PATCH: "update",
  DELETE: "update",
};

/** Reads method and request target. Throws ApiError. */
export function parseRequest(method: string, target: string): PassedRequest {
  const [, namespace = "", name = "", path = "/", query = ""] = TARGET.exec(target) ?? [];
  if (!NAMESPACE.test(namespace) || !NAME.test(name)) {
    const usage = prefixOf({ namespace: "{namespace}", name: "{name}" });
    throw new ApiError("not-found", `There is nothing at this path; the REST API of a cluster is below ${usage}/.`);
  }
  const verb = VERBS[method];
  if (verb === undefined) throw new ApiError("method-not-allowed", `${method} is no method of this API.`);
  if (!PRINTABLE.test(path + query)) throw new ApiError("malformed", "The path has characters that need an escape.");
  if (verb === "update" && isInternal(path)) {
    throw new ApiError("forbidden", "Only the operator and the workers themselves change anything under /headrace/.");
  }
  return { cluster: { namespace, name }, verb, path: path + query };
}

/** Whether the worker could take the path for one of those with which the operator and the workers steer the group (invariant 3). */
function isInternal(path: string): boolean {
  const [first] = decode(path)
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".");
  return first?.toLowerCase() === "headrace";
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new ApiError("malformed", "The path has an escape that is none.", { cause });
  }
}
