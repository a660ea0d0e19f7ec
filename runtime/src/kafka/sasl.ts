import type { SaslArguments, SaslOptions } from "./kafkajs.ts";
import { saslProviders } from "./kafkajs.ts";
import type { SaslSettings } from "./settings.ts";
import { sharedTokenSource } from "./token-source.ts";

const TOKEN_TIMEOUT_MS = 20_000;

/** What kafkajs needs to authenticate. Errors of the connection stay what they are: kafkajs would call all of them wrong credentials. */
export function saslOptions(sasl: SaslSettings): SaslOptions {
  if (sasl.mechanism !== "oauthbearer") {
    const provider = saslProviders[sasl.mechanism](sasl);
    return { mechanism: sasl.mechanism, authenticationProvider: (given) => authenticator(provider, given) };
  }
  const tokens = sharedTokenSource(sasl.oauth);
  return {
    mechanism: sasl.mechanism,
    authenticationProvider: (given) => ({
      async authenticate() {
        const token = await tokens.token(AbortSignal.timeout(TOKEN_TIMEOUT_MS));
        const provider = saslProviders.oauthbearer({ oauthBearerProvider: async () => token });
        try {
          await authenticator(provider, given).authenticate();
        } catch (error) {
          tokens.reject(token.value);
          throw error;
        }
      },
    }),
  };
}

function authenticator(
  provider: (given: SaslArguments) => { authenticate(): Promise<void> },
  given: SaslArguments,
): { authenticate(): Promise<void> } {
  return {
    async authenticate() {
      let cause: unknown = null;
      const recording: SaslArguments = {
        ...given,
        async saslAuthenticate(exchange) {
          try {
            return await given.saslAuthenticate(exchange);
          } catch (error) {
            cause = error;
            throw error;
          }
        },
      };
      try {
        await provider(recording).authenticate();
      } catch (error) {
        throw cause ?? error;
      }
    },
  };
}
