import { RetriableError } from "@headrace/sdk";
import { z } from "zod";
import type { SendHttp } from "./http.ts";
import { type RegistrySettings, userInfoOf } from "./settings.ts";

/** Headers that authorise requests. */
export interface Authorizer {
  /** `url` may carry user and password. Rejects with RetriableError while the token endpoint cannot be used. */
  headers(url: URL): Promise<Readonly<Record<string, string>>>;
  /** The registry did not accept these; true if another try may have new ones. */
  refused(headers: Readonly<Record<string, string>>): boolean;
}

const TOKEN = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive().optional() });
/** Share of a token's life after which it is renewed. */
const RENEWAL = 0.8;
const DEFAULT_LIFE_S = 300;

/** Creates what the settings ask for; `now` in milliseconds. */
export function createAuthorizer(settings: RegistrySettings, http: SendHttp, now: () => number): Authorizer {
  let token: { readonly text: string; readonly renewAt: number } | null = null;
  let asking: Promise<string> | null = null;

  async function ask(): Promise<string> {
    const endpoint = settings["bearer.auth.issuer.endpoint.url"] ?? "";
    const { host } = new URL(endpoint);
    const scope = settings["bearer.auth.scope"];
    const body = new URLSearchParams({ grant_type: "client_credentials", ...(scope !== undefined && { scope }) });
    const id = settings["bearer.auth.client.id"] ?? "";
    const secret = settings["bearer.auth.client.secret"]?.reveal() ?? "";
    const answer = await http(endpoint, {
      method: "POST",
      headers: {
        accept: "application/json",
        "content-type": "application/x-www-form-urlencoded",
        authorization: basic(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`),
      },
      body: body.toString(),
    }).catch((cause: unknown) => {
      throw new RetriableError(`the token endpoint of ${host} cannot be reached`, { cause });
    });
    if (answer.status >= 500 || answer.status === 429) {
      throw new RetriableError(`the token endpoint of ${host} answered ${answer.status}`);
    }
    const parsed = TOKEN.safeParse(answer.status === 200 ? parseJson(answer.text) : null);
    if (!parsed.success) {
      const advice = "check bearer.auth.client.id and bearer.auth.client.secret";
      throw new Error(`the token endpoint of ${host} answered ${answer.status} without a token: ${advice}`);
    }
    const { access_token: text, expires_in: lifeS = DEFAULT_LIFE_S } = parsed.data;
    token = { text, renewAt: now() + lifeS * 1000 * RENEWAL };
    return text;
  }

  /** One request for a token at a time. */
  async function current(): Promise<string> {
    if (token !== null && now() < token.renewAt) return token.text;
    asking ??= ask().finally(() => {
      asking = null;
    });
    return await asking;
  }

  const cluster = settings["bearer.auth.logical.cluster"];
  const pool = settings["bearer.auth.identity.pool.id"];
  const scoped = (text: string) => ({
    authorization: `Bearer ${text}`,
    ...(cluster !== undefined && { "target-sr-cluster": cluster }),
    ...(pool !== undefined && { "Confluent-Identity-Pool-Id": pool }),
  });

  return {
    async headers(url) {
      switch (settings["bearer.auth.credentials.source"]) {
        case "STATIC_TOKEN":
          return scoped(settings["bearer.auth.token"]?.reveal() ?? "");
        case "OAUTHBEARER":
          return scoped(await current());
        case "NONE": {
          const fromUrl =
            url.username === "" ? null : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
          const info = settings["basic.auth.credentials.source"] === "URL" ? fromUrl : userInfoOf(settings);
          return info === null ? {} : { authorization: basic(info) };
        }
        default:
          throw new Error(`unreachable: ${settings["bearer.auth.credentials.source"] satisfies never}`);
      }
    },
    refused({ authorization }) {
      // Another request may have got a new one meanwhile.
      if (token !== null && authorization === `Bearer ${token.text}`) token = null;
      return settings["bearer.auth.credentials.source"] === "OAUTHBEARER";
    },
  };
}

function basic(userInfo: string): string {
  return `Basic ${Buffer.from(userInfo).toString("base64")}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Told as an answer without a token.
  }
}
