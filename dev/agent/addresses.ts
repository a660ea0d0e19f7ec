/** Hands out the addresses of a node's pods. */
export interface AddressPool {
  /** The node's own, the first of its network. */
  readonly node: string;
  /** An address that no pod has; going round, so that the address of a pod that is gone is not soon somebody else's. Throws if all are taken. */
  take(): string;
  /** Marks an address as taken, for a pod that was taken over. */
  keep(address: string): void;
  release(address: string): void;
}

/** The first addresses of a network are not given to pods. */
const RESERVED = 10;

/** A pool of the network `cidr`, for instance `127.23.4.0/22`; `offset` says where to begin. */
export function createAddressPool(cidr: string, offset = 0): AddressPool {
  const [base = "", bits = ""] = cidr.split("/");
  const first = toNumber(base);
  const size = 2 ** (32 - Number(bits)) - RESERVED - 1;
  if (!(size > 0)) throw new Error(`network ${cidr} is too small for pods`);
  const taken = new Set<string>();
  let next = offset;
  return {
    node: toAddress(first + 1),
    take() {
      for (let tried = 0; tried < size; tried += 1) {
        const address = toAddress(first + RESERVED + (next % size));
        next += 1;
        if (taken.has(address)) continue;
        taken.add(address);
        return address;
      }
      throw new Error(`all ${size} addresses of ${cidr} are taken`);
    },
    keep: (address) => void taken.add(address),
    release: (address) => void taken.delete(address),
  };
}

function toNumber(address: string): number {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
