import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { ControlPlane } from "../control-plane.ts";
import { startProcess, waitUntilReady } from "../process.ts";
import { DNS_ADDRESS, HOST_ADDRESS } from "./network.ts";

const READY = `http://127.0.0.1:8181/ready`;

/** Starts the cluster's DNS beside the control plane, with the Service by which pods reach it. Resolves when it knows the cluster. */
export async function startDns(dir: string, binary: string, { adminKubeconfig, kubectl }: ControlPlane): Promise<void> {
  const corefile = join(dir, "Corefile");
  writeFileSync(
    corefile,
    `.:53 {
  bind ${HOST_ADDRESS}
  ready 127.0.0.1:8181
  errors
  cache 2
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${adminKubeconfig}
  }
}
`,
  );
  const dns = await startProcess({
    name: "CoreDNS",
    command: binary,
    args: [`-conf=${corefile}`],
    logFile: join(dir, "coredns.log"),
  });
  const isReady = async () =>
    (await fetch(READY, { signal: AbortSignal.timeout(2_000) }).catch(() => null))?.ok === true;
  await waitUntilReady(dns, isReady, { timeoutMs: 120_000 });
  const ports = ["UDP", "TCP"].map((protocol) => ({ name: `dns-${protocol.toLowerCase()}`, protocol, port: 53 }));
  await kubectl(["apply", "-f", "-"], {
    input: outsideService({
      name: "kube-dns",
      namespace: "kube-system",
      address: HOST_ADDRESS,
      clusterIP: DNS_ADDRESS,
      ports,
    }),
  });
}

/** Where a Service of the cluster leads that is served beside it. */
export interface OutsideService {
  readonly name: string;
  readonly namespace: string;
  /** Where it is served; IPv4. */
  readonly address: string;
  readonly clusterIP?: string;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

/** YAML of a Service for something that is no pod. */
export function outsideService({ name, namespace, address, clusterIP, ports }: OutsideService): string {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { ...(clusterIP !== undefined && { clusterIP }), ports },
  };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports,
  };
  return [service, slice].map((one) => stringify(one)).join("---\n");
}
