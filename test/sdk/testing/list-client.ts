import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

/** Asks a list server, on a connection of its own. Rejects if it is away. */
export async function ask(
  url: string,
  {
    method = "GET",
    body,
    signal,
  }: { readonly method?: string; readonly body?: string; readonly signal?: AbortSignal } = {},
): Promise<unknown> {
  const asking = request(url, { method, agent: false, ...(signal && { signal }) });
  asking.end(body);
  const [response]: IncomingMessage[] = await once(asking, "response");
  if (response === undefined) throw new Error("no response");
  return JSON.parse(await text(response));
}

const leaks: (() => void)[] = [];

/** Leaves a timer, or a connection that keeps nothing alive. */
export async function leak(what: string | undefined, url: string): Promise<void> {
  if (what === "leaks timers") {
    const timer = setInterval(() => {}, 1_000_000);
    leaks.push(() => clearInterval(timer));
  }
  if (what === "leaks connections") {
    const { port, hostname } = new URL(url);
    const socket = connect(Number(port), hostname).unref();
    socket.on("error", () => {}); // The server goes first.
    await once(socket, "connect");
    leaks.push(() => socket.destroy());
  }
}

/** Ends what was left, so that the tests can end. */
export function endLeaks(): void {
  for (const end of leaks.splice(0)) end();
}
