import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "#dev/process.ts";
import { besideClient, NOTE } from "./connector.ts";

/** Senders at a time: each sends its next record when the last one has been answered. */
const SENDERS = 64;
const RETRY_MS = 50;

/** Sends records 0 to `total`, one per request, from this process, so that its work is not counted; waits for a server, and repeats what it refuses. */
function startSending(port: number, total: number) {
  const stopped = new AbortController();
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS });
  let next = 0;

  async function send(): Promise<void> {
    while (next < total && !stopped.signal.aborted) {
      const body = JSON.stringify({ id: next, note: NOTE });
      next += 1;
      while (!(await isTaken(body))) await sleep(RETRY_MS, undefined, { signal: stopped.signal });
    }
  }

  /** Whether it is answered with success; not if there is no server yet. */
  function isTaken(body: string): Promise<boolean> {
    return new Promise((resolve) => {
      const sent = request({ host: "127.0.0.1", port, method: "POST", agent }, (response) => {
        response.resume().once("close", () => resolve(response.statusCode === 200));
      });
      sent.once("error", () => resolve(false)).end(body);
    });
  }

  const sending = Promise.all(Array.from({ length: SENDERS }, send)).catch(() => {}); // It is stopped.
  return async () => {
    stopped.abort();
    agent.destroy();
    await sending;
  };
}

/** Requests of one record each, which are answered when Kafka has it, into a topic; beside a server that sends each to Kafka by itself. */
export const webhook = (count: number) =>
  besideClient({
    name: "webhook-source",
    package: "http",
    role: "source",
    count,
    // Whoever of the senders comes first.
    unordered: true,
    start: async (_, total) => async (topic) => {
      const [port = 0] = await freePorts(1);
      const stop = startSending(port, total);
      return {
        connector: {
          "connector.class": "webhook-source",
          "webhook.host": "127.0.0.1",
          "webhook.port": String(port),
          topic,
        },
        client: { script: "webhook-client.ts", options: { port } },
        close: stop,
      };
    },
  });
