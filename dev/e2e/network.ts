import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { SERVICE_CIDR } from "../control-plane.ts";

const run = promisify(execFile);

/** Where a node is: an address on the network of all nodes, and the range of its pods. */
export interface NodeNetwork {
  readonly name: string;
  readonly address: string;
  readonly podCidr: string;
}

/** Where the control plane, Kafka and the tests are, as nodes and pods see them. */
export const HOST_ADDRESS = "10.250.0.1";
/** All pods. */
export const POD_CIDR = "10.244.0.0/16";
/** Of the Service of the cluster's DNS. */
export const DNS_ADDRESS = "10.0.0.10";

const BRIDGE = "nodes";

/** The nodes' networks, one each. */
export function nodeNetworks(count: number): readonly NodeNetwork[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `node-${index + 1}`,
    address: `10.250.0.${11 + index}`,
    podCidr: `10.244.${index + 1}.0/24`,
  }));
}

/** Path of a node's network namespace. */
export const namespaceOf = (node: NodeNetwork): string => `/run/netns/${node.name}`;

/**
 * Makes, within this process's network namespace, which must be ours alone: a switch with one network namespace per node on it, routes to
 * the pods of every node, and one to the Services by way of the first. None of it leads out.
 */
export async function makeNetwork(nodes: readonly NodeNetwork[]): Promise<void> {
  const ip = async (line: string) => void (await run("ip", line.split(" ")));
  await ip("link set lo up");
  await ip(`link add ${BRIDGE} type bridge`);
  await ip(`addr add ${HOST_ADDRESS}/24 dev ${BRIDGE}`);
  await ip(`link set ${BRIDGE} up`);
  for (const node of nodes) {
    const { name, address } = node;
    await ip(`netns add ${name}`);
    await ip(`link add ${name} type veth peer name eth0 netns ${name}`);
    await ip(`link set ${name} master ${BRIDGE} up`);
    await ip(`-n ${name} link set lo up`);
    await ip(`-n ${name} addr add ${address}/24 dev eth0`);
    await ip(`-n ${name} link set eth0 up`);
    await ip(`-n ${name} route add default via ${HOST_ADDRESS}`);
    for (const other of nodes)
      if (other !== node) await ip(`-n ${name} route add ${other.podCidr} via ${other.address}`);
    await ip(`route add ${node.podCidr} via ${address}`);
    await run("nsenter", [`--net=${namespaceOf(node)}`, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  }
  const [first] = nodes;
  if (first !== undefined) await ip(`route add ${SERVICE_CIDR} via ${first.address}`);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}
