import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { ConfigError, RetriableError } from "@headrace/sdk";
import type { Credentials, CredentialsProvider } from "./credentials.ts";
import { requestToken } from "./token-request.ts";
import { textOf } from "./xml.ts";

/** What a configuration says of credentials; empty: not given. */
export interface CredentialSettings {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly profile: string;
  readonly roleArn: string;
  readonly webIdentityTokenFile: string;
  readonly ibmApiKey: string;
  readonly ibmProfileId: string;
  readonly ibmTokenFile: string;
  readonly ibmIamUrl: string;
  readonly region: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The first of these that is there: IBM's API key or trusted profile, keys of the configuration, web identity of the configuration, keys of
 * the environment, web identity of the environment (IRSA), the container's endpoint (EKS Pod Identity, ECS), the shared credentials file.
 */
export function chooseProvider(settings: CredentialSettings, env: Environment): CredentialsProvider {
  if (settings.ibmApiKey !== "" || settings.ibmProfileId !== "") return ibm(settings);
  if (settings.accessKeyId !== "") {
    const { accessKeyId, secretAccessKey, sessionToken } = settings;
    return fixed("aws.access.key.id", { accessKeyId, secretAccessKey, sessionToken });
  }
  const role = settings.roleArn || (env["AWS_ROLE_ARN"] ?? "");
  const tokenFile = settings.webIdentityTokenFile || (env["AWS_WEB_IDENTITY_TOKEN_FILE"] ?? "");
  const identity =
    role !== "" && tokenFile !== "" ? webIdentity({ role, tokenFile, region: settings.region, env }) : null;
  if (identity !== null && settings.roleArn !== "") return identity;
  if (settings.profile !== "") return sharedFile(settings.profile, env);
  const accessKeyId = env["AWS_ACCESS_KEY_ID"] ?? "";
  if (accessKeyId !== "") {
    return fixed("AWS_ACCESS_KEY_ID", {
      accessKeyId,
      secretAccessKey: env["AWS_SECRET_ACCESS_KEY"] ?? "",
      sessionToken: env["AWS_SESSION_TOKEN"] ?? "",
    });
  }
  if (identity !== null) return identity;
  const containerUrl = env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] ?? "";
  if (containerUrl !== "") return container(containerUrl, env);
  return sharedFile(env["AWS_PROFILE"] ?? "default", env);
}

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

function keys({ accessKeyId, secretAccessKey, sessionToken }: Keys, expiresAt?: number): Credentials {
  return {
    kind: "keys",
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== "" && { sessionToken }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

function fixed(name: string, given: Keys): CredentialsProvider {
  return { name, get: async () => keys(given) };
}

/** Source: AWS STS, AssumeRoleWithWebIdentity. The token file is read anew each time: the kubelet replaces it. */
function webIdentity(options: {
  readonly role: string;
  readonly tokenFile: string;
  readonly region: string;
  readonly env: Environment;
}): CredentialsProvider {
  const { role, tokenFile, region, env } = options;
  const endpoint = env["AWS_ENDPOINT_URL_STS"] ?? `https://sts.${env["AWS_REGION"] ?? region}.amazonaws.com`;
  return {
    name: `web identity (${tokenFile})`,
    async get(signal) {
      const body = new URLSearchParams({
        Action: "AssumeRoleWithWebIdentity",
        Version: "2011-06-15",
        RoleArn: role,
        RoleSessionName: env["AWS_ROLE_SESSION_NAME"] ?? "headrace",
        WebIdentityToken: (await readToken(tokenFile)).trim(),
      });
      const xml = await requestToken({ url: endpoint, method: "POST", body, what: `role ${role}` }, signal);
      return keysOf(`the role ${role}`, {
        accessKeyId: textOf(xml, "AccessKeyId"),
        secretAccessKey: textOf(xml, "SecretAccessKey"),
        sessionToken: textOf(xml, "SessionToken"),
        expiration: textOf(xml, "Expiration"),
      });
    },
  };
}

/** Source: AWS SDKs and Tools Reference Guide, container credential provider. */
function container(url: string, env: Environment): CredentialsProvider {
  return {
    name: `container (${url})`,
    async get(signal) {
      const file = env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] ?? "";
      const token = file === "" ? (env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] ?? "") : (await readToken(file)).trim();
      const headers: Record<string, string> = token === "" ? {} : { authorization: token };
      const answer = await requestToken({ url, method: "GET", headers, what: "credentials of the container" }, signal);
      const found = members(answer, url);
      return keysOf("the container's endpoint", {
        accessKeyId: found["AccessKeyId"] ?? null,
        secretAccessKey: found["SecretAccessKey"] ?? null,
        sessionToken: found["Token"] ?? null,
        expiration: found["Expiration"] ?? null,
      });
    },
  };
}

/** Source: IBM Cloud IAM, grant types apikey and cr-token (trusted profiles with a compute resource's token). */
function ibm(settings: CredentialSettings): CredentialsProvider {
  const { ibmApiKey, ibmProfileId, ibmTokenFile, ibmIamUrl } = settings;
  return {
    name: ibmApiKey !== "" ? "ibm.api.key" : `ibm.trusted.profile.id (${ibmTokenFile})`,
    async get(signal) {
      const body = new URLSearchParams(
        ibmApiKey !== ""
          ? { grant_type: "urn:ibm:params:oauth:grant-type:apikey", apikey: ibmApiKey }
          : {
              grant_type: "urn:ibm:params:oauth:grant-type:cr-token",
              cr_token: (await readToken(ibmTokenFile)).trim(),
              profile_id: ibmProfileId,
            },
      );
      const url = `${ibmIamUrl.replace(/\/+$/, "")}/identity/token`;
      const answer = await requestToken({ url, method: "POST", body, what: "token of IBM Cloud" }, signal);
      const { access_token: token, expiration } = members(answer, url);
      if (token === undefined) throw new ConfigError(`${url} has given no access_token`);
      return { kind: "bearer", token, ...(expiration !== undefined && { expiresAt: Number(expiration) * 1000 }) };
    },
  };
}

function sharedFile(profile: string, env: Environment): CredentialsProvider {
  const file = env["AWS_SHARED_CREDENTIALS_FILE"] ?? join(homedir(), ".aws", "credentials");
  return {
    name: `profile ${profile} of ${file}`,
    async get() {
      const text = await readFile(file, "utf8").catch((cause: unknown) => {
        throw new ConfigError(
          "No credentials: set aws.access.key.id and aws.secret.access.key, or give the worker an identity " +
            `(environment, web identity, container endpoint); the shared file ${file} is not there either`,
          { cause },
        );
      });
      const found = readProfile(text, profile);
      return keysOf(`profile ${profile} of ${file}`, {
        accessKeyId: found.get("aws_access_key_id") ?? null,
        secretAccessKey: found.get("aws_secret_access_key") ?? null,
        sessionToken: found.get("aws_session_token") ?? null,
        expiration: null,
      });
    },
  };
}

/** The settings of a profile of an INI file as the AWS tools write it; empty if it is not there. */
export function readProfile(text: string, profile: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let current = "";
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) current = section;
    const setting = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (setting !== null && current === profile) found.set(setting[1] ?? "", setting[2] ?? "");
  }
  return found;
}

function keysOf(
  where: string,
  found: Readonly<Record<"accessKeyId" | "secretAccessKey" | "sessionToken" | "expiration", string | null>>,
): Credentials {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = found;
  if (accessKeyId === null || secretAccessKey === null) throw new ConfigError(`${where} has no access key and secret`);
  const expiresAt = expiration === null ? Number.NaN : Date.parse(expiration);
  return keys(
    { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? "" },
    Number.isNaN(expiresAt) ? undefined : expiresAt,
  );
}

async function readToken(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((cause: unknown) => {
    throw new ConfigError(`The token of the workload's identity is not in ${file}`, { cause });
  });
}

/** The texts and numbers of a JSON object. Throws RetriableError, with nothing of what may be secret, for what is none. */
function members(json: string, url: string): Readonly<Record<string, string>> {
  let found: unknown;
  try {
    found = JSON.parse(json);
  } catch {
    throw new RetriableError(`${new URL(url).origin} has not answered with JSON`);
  }
  if (typeof found !== "object" || found === null) return {};
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, String(value)]));
}
