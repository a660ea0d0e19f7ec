import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createBackoff } from "./backoff.ts";
import { fetchToken, type OAuthToken } from "./oauth-token.ts";
import type { OAuthSettings } from "./settings.ts";

/** Who wants to know each new token. */
export interface TokenListener {
  readonly token: (token: OAuthToken) => void;
  /** There is no valid token, and none could be got. It is tried again. */
  readonly failed: (error: unknown) => void;
}

/**
 * The tokens of one login, renewed before they expire.
 *
 * Guarantees: one request at a time, however many ask; while somebody subscribes, a token is renewed at its time, and a failure tried
 * again with growing pauses until it succeeds.
 */
export interface TokenSource {
  /** A token that is still good for a while. Rejects with ConnectError `kafka-access` if there is none. */
  token(signal: AbortSignal): Promise<OAuthToken>;
  /** A broker did not take this token: the next caller gets another one. */
  reject(value: string): void;
  /** Tells the present token soon and each new one at its time. Returns the function that ends it. */
  subscribe(listener: TokenListener): () => void;
}

/** What a token is good for at least when it is given out. */
const SPARE_MS = 1_000;
const FETCH_TIMEOUT_MS = 20_000;

/** When a token that lives from `nowMs` to `expiresAtMs` is to be renewed. Source: ExpiringCredentialRefreshingLogin. */
export function refreshAtMs(
  nowMs: number,
  expiresAtMs: number,
  refresh: Pick<OAuthSettings["refresh"], "windowFactor" | "windowJitter" | "minPeriodSeconds" | "bufferSeconds">,
  random: number,
): number {
  const lifetimeMs = expiresAtMs - nowMs;
  const wanted = nowMs + lifetimeMs * (refresh.windowFactor + refresh.windowJitter * random);
  const minMs = refresh.minPeriodSeconds * 1_000;
  const bufferMs = refresh.bufferSeconds * 1_000;
  // Too short a life for both limits: neither counts.
  if (lifetimeMs <= minMs + bufferMs) return Math.min(wanted, expiresAtMs);
  return Math.max(nowMs + minMs, Math.min(wanted, expiresAtMs - bufferMs));
}

export interface TokenSourceTools {
  readonly fetch: (settings: OAuthSettings, nowMs: number, signal: AbortSignal) => Promise<OAuthToken>;
  readonly now: () => number;
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const MACHINE: TokenSourceTools = {
  fetch: fetchToken,
  now: () => Date.now(),
  random: Math.random,
  sleep: async (ms, signal) => void (await sleep(ms, undefined, { signal, ref: false })),
};

/** Makes a source; nothing is fetched before somebody asks or subscribes. */
export function createTokenSource(settings: OAuthSettings, tools: TokenSourceTools = MACHINE): TokenSource {
  const { now, random } = tools;
  const listeners = new Set<TokenListener>();
  let current: { readonly token: OAuthToken; readonly refreshAtMs: number } | null = null;
  let pending: Promise<OAuthToken> | null = null;
  let stop: AbortController | null = null;

  function renew(): Promise<OAuthToken> {
    pending ??= tools
      .fetch(settings, now(), AbortSignal.timeout(FETCH_TIMEOUT_MS))
      .then((token) => {
        current = { token, refreshAtMs: refreshAtMs(now(), token.expiresAtMs, settings.refresh, random()) };
        for (const listener of listeners) listener.token(token);
        return token;
      })
      .finally(() => {
        pending = null;
      });
    return pending;
  }

  function valid(): OAuthToken | null {
    return current !== null && current.token.expiresAtMs - SPARE_MS > now() ? current.token : null;
  }

  async function run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(settings.refresh, random);
    while (!signal.aborted) {
      const due = current === null ? 0 : current.refreshAtMs - now();
      try {
        if (due > 0) await tools.sleep(Math.min(due, 2 ** 31 - 1), signal);
        else {
          await renew();
          backoff.reset();
        }
      } catch (error) {
        if (signal.aborted) return;
        if (valid() === null) for (const listener of listeners) listener.failed(error);
        await tools.sleep(backoff.next(), signal).catch(() => {}); // The loop's head knows.
      }
    }
  }

  return {
    async token(signal) {
      signal.throwIfAborted();
      const good = valid();
      if (good !== null && current !== null && now() < current.refreshAtMs) return good;
      try {
        return await renew();
      } catch (error) {
        const old = valid();
        if (old === null) throw error;
        return old;
      }
    },
    reject(value) {
      if (current?.token.value === value) current = null;
    },
    subscribe(listener) {
      listeners.add(listener);
      const known = valid();
      if (known !== null) listener.token(known);
      if (stop === null) {
        stop = new AbortController();
        void run(stop.signal);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        stop?.abort();
        stop = null;
      };
    },
  };
}

const sources = new Map<string, TokenSource>();

/** The one source of this process for a login: clients with the same settings share their tokens. */
export function sharedTokenSource(settings: OAuthSettings): TokenSource {
  const key = createHash("sha256").update(JSON.stringify(settings)).digest("hex");
  const known = sources.get(key);
  if (known !== undefined) return known;
  const made = createTokenSource(settings);
  sources.set(key, made);
  return made;
}
