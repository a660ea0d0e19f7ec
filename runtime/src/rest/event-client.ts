import type { ServerResponse } from "node:http";
import type { StreamEvent } from "@headrace/contract";

/** What one client of the event stream may keep waiting beyond its snapshot, which is as large as the cluster. */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** A client that takes nothing between so many pings, although something waits for it, is gone. One large write counts when it is through. */
const MAX_IDLE_PINGS = 6;

/** A client of the event stream. One that does not read is disconnected; whoever lives comes back for a new snapshot. */
export interface EventClient {
  send(event: StreamEvent): void;
  /** To be called every few seconds. */
  ping(): void;
}

/** Streams to `response`, whose head was sent. */
export function createEventClient(response: ServerResponse): EventClient {
  let allowance = MAX_WAITING_BYTES;
  let waitingAtPing = 0;
  let sentSincePing = 0;
  let idlePings = 0;
  const write = (event: StreamEvent): void => {
    // What is written after the end would be an error that nobody handles.
    if (response.destroyed || response.writableEnded) return;
    const text = `event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
    const bytes = Buffer.byteLength(text);
    sentSincePing += bytes;
    if (event.kind === "snapshot") allowance = MAX_WAITING_BYTES + bytes;
    response.write(text);
    if (response.writableLength > allowance) response.destroy();
  };
  return {
    send: write,
    ping() {
      const waiting = response.writableLength;
      const taken = waitingAtPing + sentSincePing - waiting;
      idlePings = waiting > 0 && taken <= 0 ? idlePings + 1 : 0;
      if (idlePings >= MAX_IDLE_PINGS) return void response.destroy();
      waitingAtPing = waiting;
      sentSincePing = 0;
      write({ kind: "ping" });
    },
  };
}
