import { orAborted } from "../waiting.ts";

/** What signs a request: keys of AWS's signature version 4, or a token (IBM Cloud's IAM). */
export type Credentials =
  | {
      readonly kind: "keys";
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string;
      /** Milliseconds since the epoch; not given: they stay. */
      readonly expiresAt?: number;
    }
  | { readonly kind: "bearer"; readonly token: string; readonly expiresAt?: number };

/** Where credentials come from. */
export interface CredentialsProvider {
  /** For messages. */
  readonly name: string;
  get(signal: AbortSignal): Promise<Credentials>;
}

/** Longest time for a provider; its requests have deadlines of their own, which are shorter. */
const PATIENCE_MS = 60_000;
/** Credentials are fetched anew so long before they end. */
const RENEW_BEFORE_MS = 5 * 60_000;

/** A provider that keeps what it got until shortly before it ends. */
export interface KeptCredentials {
  get(signal: AbortSignal): Promise<Credentials>;
  /** The server does not take them any more. */
  forget(): void;
}

/** Asks the provider once for all who wait at the same time, and again only when the credentials end. `now` in milliseconds since the epoch. */
export function keepCredentials(provider: CredentialsProvider, now: () => number): KeptCredentials {
  let kept: Credentials | null = null;
  let asking: Promise<Credentials> | null = null;

  /** On behalf of all who wait: whoever gives up does not end it for the others. */
  const ask = () =>
    provider
      .get(AbortSignal.timeout(PATIENCE_MS))
      .then((got) => {
        kept = got;
        return got;
      })
      .finally(() => {
        asking = null;
      });

  return {
    async get(signal) {
      if (kept !== null && (kept.expiresAt === undefined || kept.expiresAt - RENEW_BEFORE_MS > now())) return kept;
      signal.throwIfAborted();
      asking ??= ask();
      try {
        return await orAborted(asking, signal);
      } catch (error) {
        // What is still good for a while may be used until the provider answers again.
        if (signal.aborted || kept?.expiresAt === undefined || kept.expiresAt <= now()) throw error;
        return kept;
      }
    },
    forget() {
      kept = null;
    },
  };
}
