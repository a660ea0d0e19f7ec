import { availableParallelism, totalmem } from "node:os";
import { quantityOf } from "@headrace/contract";
import type { Container, FieldRef, Pod, ResourceFieldRef } from "./pod.ts";

/** Addresses that a pod can ask for; they are known before its containers start. */
export interface PodAddresses {
  readonly podIP: string;
  readonly hostIP: string;
}

/** The value of a `fieldRef`. Throws for a path that Kubernetes does not have. */
export function fieldValue(pod: Pod, addresses: PodAddresses, { fieldPath }: FieldRef): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null)
    return metadata[subscript[1] === "labels" ? "labels" : "annotations"]?.[subscript[2] ?? ""] ?? "";
  switch (fieldPath) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace;
    case "metadata.uid":
      return metadata.uid;
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "";
    case "status.podIP":
    case "status.podIPs":
      return addresses.podIP;
    case "status.hostIP":
    case "status.hostIPs":
      return addresses.hostIP;
    default:
      throw new Error(`unsupported fieldPath: ${fieldPath}`);
  }
}

/** One line `key="value"` each, sorted, as the kubelet writes labels and annotations. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join("\n");
}

/** The value of a `resourceFieldRef`: the container's limit or request in units of the divisor, rounded up; without one the machine's. */
export function resourceValue(container: Container, { resource, divisor }: ResourceFieldRef): string {
  const [kind, name] = resource.split(".");
  if ((kind !== "limits" && kind !== "requests") || (name !== "cpu" && name !== "memory")) {
    throw new Error(`unsupported resource: ${resource}`);
  }
  const given = container.resources?.[kind]?.[name] ?? container.resources?.limits?.[name];
  const machine = name === "cpu" ? String(availableParallelism()) : String(totalmem());
  const unit = divisor === undefined || divisor === "0" ? 1 : toNumber(divisor);
  return String(Math.ceil(toNumber(given ?? machine) / unit));
}

function toNumber(quantity: string): number {
  const number = quantityOf(quantity);
  if (Number.isNaN(number)) throw new Error(`not a quantity: ${quantity}`);
  return number;
}
