import type { GroupMember } from "#runtime/group/group.ts";
import type { PeerAnswer, PeerTransport } from "#runtime/group/peer-transport.ts";

type Peer = Pick<GroupMember, "view" | "poked">;

/** HTTP between members of one process: each registered URL answers as a worker's REST would. */
export class FakeNetwork {
  readonly #peers = new Map<string, Peer>();
  readonly #special = new Map<string, PeerAnswer["kind"] | "foreign">();
  readonly requests: string[] = [];

  register(url: string, peer: Peer): void {
    this.#peers.set(url, peer);
    this.#special.delete(url);
  }

  /** From now on requests to `url` meet this: refused, reset, silence, or an answer of something that is no Headrace worker. */
  fail(url: string, how: "refused" | "reset" | "silent" | "foreign"): void {
    this.#special.set(url, how);
  }

  transport(): PeerTransport {
    return {
      request: async (method, url) => {
        this.requests.push(`${method} ${url}`);
        return this.#answer(url);
      },
      close: () => {},
    };
  }

  #answer(target: string): PeerAnswer {
    const split = target.indexOf("headrace/");
    const url = target.slice(0, split);
    const special = this.#special.get(url);
    if (special === "foreign")
      return { kind: "answered", status: 404, body: { error_code: 404, message: "Not found" } };
    if (special === "refused" || special === "reset" || special === "silent") return { kind: special };
    const peer = this.#peers.get(url);
    if (peer === undefined) return { kind: "refused" };
    switch (target.slice(split)) {
      case "headrace/self":
        return { kind: "answered", status: 200, body: toSelf(url, peer) };
      case "headrace/group?forward=false":
        return { kind: "answered", status: 200, body: peer.view() };
      case "headrace/rejoin":
        peer.poked();
        return { kind: "answered", status: 202, body: undefined };
      default:
        return { kind: "answered", status: 404, body: undefined };
    }
  }
}

function toSelf(url: string, peer: Peer) {
  const view = peer.view();
  const draining = view.members.some((member) => member.memberId === view.memberId && member.draining);
  return { workerId: new URL(url).host, memberId: view.memberId, podUid: null, draining };
}
