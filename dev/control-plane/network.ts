import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Where a stack is: addresses that it has for itself. */
export interface ClusterNetwork {
  /** The pods' addresses are taken from it. */
  readonly cidr: string;
  /** Where the control plane listens; outside of what nodes get. */
  readonly address: string;
}

/** The port whose listener marks a network as taken: etcd's. */
export const CLAIM_PORT = 2379;

/**
 * Chooses a network on whose {@link ClusterNetwork.address} nobody listens on {@link CLAIM_PORT}; taken for good once etcd listens there.
 * Throws if there is none, for instance because something listens on that port of all addresses.
 */
export async function chooseNetwork(): Promise<ClusterNetwork> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const network = toNetwork(randomInt(1, 255));
    if (await isFree(network.address)) return network;
  }
  throw new Error(`no free loopback network: something listens on port ${CLAIM_PORT} of every address`);
}

/** The network 127.`second`.0.0/16: one of loopback addresses, so that stacks live side by side. */
export function toNetwork(second: number): ClusterNetwork {
  return { cidr: `127.${second}.0.0/16`, address: `127.${second}.255.1` };
}

function isFree(address: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(CLAIM_PORT, address, () => server.close(() => resolve(true)));
  });
}
