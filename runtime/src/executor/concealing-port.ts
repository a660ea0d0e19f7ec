import type { MessagePort } from "./rpc.ts";

/**
 * A port that says nothing of what config providers have given: traces, log lines and errors that go through it have placeholders in
 * their place. Errors of clients like to tell whole URLs and credentials, and what is said here ends in logs, statuses and resources. Everything
 * else passes as it is: those are names, states, numbers and what is stored.
 */
export function concealingPort(port: MessagePort, hide: (text: string) => string): MessagePort {
  return { ...port, send: (message) => port.send(conceal(message, hide)) };
}

function conceal(message: object, hide: (text: string) => string): object {
  if (!("kind" in message)) return message;
  if (message.kind === "reply" && "error" in message) return { ...message, error: hideIn(message.error, hide) };
  if (message.kind !== "notice" || !("notice" in message) || !isRecord(message.notice)) return message;
  const { notice } = message;
  switch (notice["kind"]) {
    case "status":
      return { ...message, notice: { ...notice, trace: hideIn(notice["trace"], hide) } };
    case "log":
      return {
        ...message,
        notice: { ...notice, fields: hideIn(notice["fields"], hide), message: hideIn(notice["message"], hide) },
      };
    default:
      return message;
  }
}

/** Plain data, its texts changed. */
function hideIn(value: unknown, hide: (text: string) => string): unknown {
  if (typeof value === "string") return hide(value);
  if (Array.isArray(value)) return value.map((member) => hideIn(member, hide));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, hideIn(member, hide)]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
