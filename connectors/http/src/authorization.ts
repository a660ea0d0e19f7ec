import { config, RetriableError } from "@headrace/sdk";
import { z } from "zod";

/** Keys by which requests are authorised; the same for all connectors that send them. */
export const AUTHORIZATION_KEYS = config.group("Authorization", {
  "http.authorization.type": config
    .anyCaseOf("none", "basic", "bearer", "oauth2")
    .default("none")
    .describe("How requests are authorised: none, basic, bearer (a fixed token) or oauth2 (client credentials).")
    .meta({
      dependents: ["http.authorization.username", "http.authorization.token", "oauth2.access.token.url"],
    }),
  "http.authorization.username": config.text().optional().describe("User name, for basic."),
  "http.authorization.password": config.password().optional().describe("Password, for basic."),
  "http.authorization.token": config.password().optional().describe("Token, for bearer."),
  "oauth2.access.token.url": config.httpUrl().optional().describe("Token endpoint, for oauth2."),
  "oauth2.client.id": config.text().optional().describe("Client id, for oauth2."),
  "oauth2.client.secret": config.password().optional().describe("Client secret, for oauth2."),
  "oauth2.client.scope": config.text().optional().describe("Scopes to ask for, separated by blanks, for oauth2."),
  "oauth2.client.authorization.mode": config
    .anyCaseOf("header", "body")
    .default("header")
    .describe("Where the token endpoint gets client id and secret: in a basic authorization header, or in the body.")
    .meta({ importance: "LOW" }),
});

type Settings = z.output<z.ZodObject<typeof AUTHORIZATION_KEYS>>;

const NEEDED = {
  none: [],
  basic: ["http.authorization.username", "http.authorization.password"],
  bearer: ["http.authorization.token"],
  oauth2: ["oauth2.access.token.url", "oauth2.client.id", "oauth2.client.secret"],
} as const;

/** Keys that the kind of authorisation needs and that are not set. */
export function missingKeys(settings: Settings): readonly string[] {
  return NEEDED[settings["http.authorization.type"]].filter((key) => settings[key] === undefined);
}

/** Gives the `authorization` header of requests. */
export interface Authorizer {
  /** null: none. Rejects with RetriableError while the token endpoint cannot be used. */
  header(signal: AbortSignal): Promise<string | null>;
  /** The server did not accept it; true if another try may have a new one. */
  refused(): boolean;
}

const TOKEN = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive().optional() });
/** Share of a token's life after which it is renewed. */
const RENEWAL = 0.8;
const DEFAULT_LIFE_S = 300;

/** Creates what the settings ask for; `now` in milliseconds. */
export function createAuthorizer(settings: Settings, timeoutMs: number, now: () => number): Authorizer {
  const secret = (key: "http.authorization.password" | "http.authorization.token" | "oauth2.client.secret") =>
    settings[key]?.reveal() ?? "";
  const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const fixed = (header: string | null): Authorizer => ({ header: async () => header, refused: () => false });
  switch (settings["http.authorization.type"]) {
    case "none":
      return fixed(null);
    case "basic":
      return fixed(basic(settings["http.authorization.username"] ?? "", secret("http.authorization.password")));
    case "bearer":
      return fixed(`Bearer ${secret("http.authorization.token")}`);
    case "oauth2":
      break;
    default:
      throw new Error(`unreachable: ${settings["http.authorization.type"] satisfies never}`);
  }
  const endpoint = settings["oauth2.access.token.url"] ?? "";
  // Errors name no more of it: a URL may hold a key.
  const host = endpoint === "" ? "" : new URL(endpoint).host;
  const id = settings["oauth2.client.id"] ?? "";
  const inHeader = settings["oauth2.client.authorization.mode"] === "header";
  let token: { readonly text: string; readonly renewAt: number } | null = null;

  async function ask(signal: AbortSignal): Promise<string> {
    const body = new URLSearchParams({ grant_type: "client_credentials" });
    if (settings["oauth2.client.scope"] !== undefined) body.set("scope", settings["oauth2.client.scope"]);
    if (!inHeader) {
      body.set("client_id", id);
      body.set("client_secret", secret("oauth2.client.secret"));
    }
    const credentials = basic(encodeURIComponent(id), encodeURIComponent(secret("oauth2.client.secret")));
    let answer: { readonly ok: boolean; readonly status: number; readonly text: string };
    try {
      const response = await fetch(endpoint, {
        method: "POST",
        body,
        redirect: "manual",
        headers: { accept: "application/json", ...(inHeader && { authorization: credentials }) },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      answer = { ok: response.ok, status: response.status, text: await response.text() };
    } catch (cause) {
      signal.throwIfAborted();
      throw new RetriableError(`the token endpoint of ${host} cannot be reached`, { cause });
    }
    if (!answer.ok) {
      const message = `the token endpoint of ${host} answered ${answer.status}`;
      if (answer.status >= 500 || answer.status === 429) throw new RetriableError(message);
      throw new Error(`${message}: check oauth2.client.id and oauth2.client.secret`);
    }
    const parsed = TOKEN.safeParse(parseJson(answer.text));
    if (!parsed.success) throw new Error(`the token endpoint of ${host} gave no access_token`);
    const { access_token: text, expires_in: lifeS = DEFAULT_LIFE_S } = parsed.data;
    token = { text, renewAt: now() + lifeS * 1000 * RENEWAL };
    return text;
  }

  return {
    async header(signal) {
      const known = token !== null && now() < token.renewAt ? token.text : null;
      return `Bearer ${known ?? (await ask(signal))}`;
    },
    refused() {
      const had = token !== null;
      token = null;
      return had;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Told as an answer without a token.
  }
}
