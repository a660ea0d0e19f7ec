import type { OAuthToken } from "./oauth-token.ts";
import type { OAuthSettings } from "./settings.ts";
import { sharedTokenSource, type TokenSource } from "./token-source.ts";

/** The two doors of the addon by which one of its clients gets tokens. */
export interface TokenDoor {
  set(value: string, expiresMs: number, principal: string, extensions: readonly string[]): void;
  fail(reason: string): void;
}

/**
 * Hands a client of librdkafka its token now and each new one at its time. Returns the function that ends it. The client waits with its
 * first connection until it has one.
 */
export function feedTokens(
  settings: OAuthSettings,
  door: TokenDoor,
  sourceOf: (settings: OAuthSettings) => TokenSource = sharedTokenSource,
): () => void {
  const set = ({ value, expiresAtMs, principal, extensions }: OAuthToken) => {
    try {
      door.set(value, Math.floor(expiresAtMs), principal, Object.entries(extensions).flat());
    } catch (error) {
      door.fail(error instanceof Error ? error.message : String(error));
    }
  };
  return sourceOf(settings).subscribe({
    token: set,
    failed: (error) => door.fail(error instanceof Error ? error.message : String(error)),
  });
}
