import type { MessagePort } from "#runtime/executor/rpc.ts";

/** Two connected in-memory ports; messages are cloned and delivered in order, asynchronously. `close` ends both. */
export function createPortPair(): { left: MessagePort; right: MessagePort; close: () => void } {
  const left = createEnd();
  const right = createEnd();
  left.peer = right;
  right.peer = left;
  return {
    left: left.port,
    right: right.port,
    close: () => {
      for (const end of [left, right]) {
        if (end.closed) continue;
        end.closed = true;
        for (const listener of end.closeListeners) listener();
      }
    },
  };
}

interface End {
  port: MessagePort;
  peer: End | null;
  closed: boolean;
  messageListeners: ((message: unknown) => void)[];
  closeListeners: (() => void)[];
}

function createEnd(): End {
  const end: End = {
    peer: null,
    closed: false,
    messageListeners: [],
    closeListeners: [],
    port: {
      send(message) {
        const copy = structuredClone(message);
        queueMicrotask(() => {
          if (end.peer === null || end.peer.closed) return;
          for (const listener of end.peer.messageListeners) listener(copy);
        });
      },
      onMessage: (listener) => {
        end.messageListeners.push(listener);
      },
      onClose: (listener) => {
        if (end.closed) queueMicrotask(listener);
        else end.closeListeners.push(listener);
      },
    },
  };
  return end;
}
