import type { FastifyInstance, FastifyReply } from "fastify";

/** One header that every answer gets. */
export interface HeaderRule {
  readonly action: "set" | "add" | "setDate" | "addDate";
  readonly name: string;
  /** For the dates: milliseconds from now. */
  readonly value: string;
}

const ACTIONS = ["set", "add", "setDate", "addDate"] as const;
const ENTRY = /\s*(?:"([^"]*)"|([^,"]*))\s*(?:,|$)/y;
const RULE = /^(\S+)\s+([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*)$/s;

/**
 * Parses `response.http.headers.config`: `[set|add|setDate|addDate] Name: value`, comma separated; an entry with a comma stands in double
 * quotes. Throws an error that says what is wrong with which entry.
 */
export function parseHeaderRules(text: string): readonly HeaderRule[] {
  return splitEntries(text).map((entry) => {
    const match = RULE.exec(entry);
    const action = ACTIONS.find((known) => known === match?.[1]);
    if (match === null || action === undefined) {
      throw new Error(`must be a list of [set|add|setDate|addDate] Name: value, which "${entry}" is not`);
    }
    const [, , name = "", value = ""] = match;
    if (/[\r\n]/.test(value)) throw new Error(`must not have line ends, as the value of ${name} has`);
    if (action.endsWith("Date") && !/^[+-]?\d+$/.test(value)) {
      throw new Error(`must give milliseconds for ${action} ${name}, not "${value}"`);
    }
    return { action, name, value };
  });
}

function splitEntries(text: string): string[] {
  const entries: string[] = [];
  ENTRY.lastIndex = 0;
  while (ENTRY.lastIndex < text.length) {
    const match = ENTRY.exec(text);
    if (match === null) throw new Error(`must have whole entries in double quotes, commas between them: ${text}`);
    const entry = (match[1] ?? match[2] ?? "").trim();
    if (entry !== "") entries.push(entry);
  }
  return entries;
}

/** Gives every answer these headers. */
export function addResponseHeaders(app: FastifyInstance, rules: readonly HeaderRule[]): void {
  if (rules.length === 0) return;
  app.addHook("onRequest", async (_request, reply) => {
    for (const rule of rules) apply(rule, reply);
  });
}

function apply({ action, name, value }: HeaderRule, reply: FastifyReply): void {
  const text = action.endsWith("Date") ? new Date(Date.now() + Number(value)).toUTCString() : value;
  if (action.startsWith("set")) {
    reply.header(name, text);
    return;
  }
  const before = reply.getHeader(name);
  const values = before === undefined ? [] : Array.isArray(before) ? before : [String(before)];
  reply.removeHeader(name).header(name, values.length === 0 ? text : [...values, text]);
}
