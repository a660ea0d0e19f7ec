import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ConfigError, RetriableError } from "@headrace/sdk";
import {
  type CredentialSettings,
  chooseProvider,
  readProfile,
} from "../../../connectors/s3/src/store/credential-sources.ts";
import { type Credentials, keepCredentials } from "../../../connectors/s3/src/store/credentials.ts";
import { createSender } from "../../../connectors/s3/src/store/sender.ts";
import { openTestServer, type Received } from "../http/test-server.ts";

const dir = mkdtempSync(join(tmpdir(), "headrace-credentials-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const signal = () => AbortSignal.timeout(60_000);
const NOTHING: CredentialSettings = {
  accessKeyId: "",
  secretAccessKey: "",
  sessionToken: "",
  profile: "",
  roleArn: "",
  webIdentityTokenFile: "",
  ibmApiKey: "",
  ibmProfileId: "",
  ibmTokenFile: "",
  ibmIamUrl: "",
  region: "eu-de",
};
const NO_FILE = { AWS_SHARED_CREDENTIALS_FILE: join(dir, "absent") };

/** What the provider of these settings gives, and what a server was asked for it. */
async function obtain(
  answer: { readonly status: number; readonly text: string },
  make: (url: string) => { readonly settings?: Partial<CredentialSettings>; readonly env?: Record<string, string> },
): Promise<{ readonly credentials: Credentials; readonly received: readonly Received[] }> {
  const server = await openTestServer((_, response: ServerResponse) => {
    response.writeHead(answer.status);
    response.end(answer.text);
  });
  try {
    const { settings = {}, env = {} } = make(server.url);
    const provider = chooseProvider({ ...NOTHING, ...settings }, { ...NO_FILE, ...env });
    return { credentials: await provider.get(signal()), received: server.received };
  } finally {
    await server.close();
  }
}

const STS = `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
  <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>se&amp;cret</SecretAccessKey><SessionToken>tok</SessionToken>
  <Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
const TEMPORARY = {
  kind: "keys",
  accessKeyId: "ASIA",
  secretAccessKey: "se&cret",
  sessionToken: "tok",
  expiresAt: Date.UTC(2030, 0, 1),
};

describe("credentials", () => {
  it("come by web identity, with the token as it is in its file", async () => {
    const tokenFile = file("token", "the-token\n");
    const { credentials, received } = await obtain({ status: 200, text: STS }, (url) => ({
      env: { AWS_ROLE_ARN: "arn:aws:iam::1:role/r", AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile, AWS_ENDPOINT_URL_STS: url },
    }));
    assert.deepEqual(credentials, TEMPORARY);
    const form = new URLSearchParams(received[0]?.body);
    assert.deepEqual(
      ["Action", "RoleArn", "WebIdentityToken"].map((name) => form.get(name)),
      ["AssumeRoleWithWebIdentity", "arn:aws:iam::1:role/r", "the-token"],
    );
  });

  it("come by a trusted profile of IBM Cloud, and by an API key", async () => {
    const ibmTokenFile = file("sa-token", "pod-token");
    const answer = { status: 200, text: '{"access_token":"bearer","expiration":1893456000}' };
    const profile = await obtain(answer, (url) => ({
      settings: { ibmProfileId: "Profile-1", ibmTokenFile, ibmIamUrl: url },
    }));
    assert.deepEqual(profile.credentials, { kind: "bearer", token: "bearer", expiresAt: 1_893_456_000_000 });
    assert.equal(profile.received[0]?.url, "/identity/token");
    const form = new URLSearchParams(profile.received[0]?.body);
    assert.deepEqual([form.get("cr_token"), form.get("profile_id")], ["pod-token", "Profile-1"]);
    const key = await obtain(answer, (url) => ({ settings: { ibmApiKey: "key", ibmIamUrl: url } }));
    assert.equal(new URLSearchParams(key.received[0]?.body).get("apikey"), "key");
  });

  it("come from the container's endpoint", async () => {
    const text = JSON.stringify({
      AccessKeyId: "ASIA",
      SecretAccessKey: "se&cret",
      Token: "tok",
      Expiration: "2030-01-01T00:00:00Z",
    });
    const { credentials, received } = await obtain({ status: 200, text }, (url) => ({
      env: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file("eks", "eks-token"),
      },
    }));
    assert.deepEqual(credentials, TEMPORARY);
    assert.deepEqual([received[0]?.url, received[0]?.headers.authorization], ["/v1", "eks-token"]);
  });

  it("come from the configuration before the environment, and from the shared file at last", async () => {
    const shared = file(
      "shared",
      "# mine\n[default]\naws_access_key_id = a\naws_secret_access_key=b=c\n[profile other]\naws_access_key_id=o\n",
    );
    const env = { AWS_SHARED_CREDENTIALS_FILE: shared };
    const idOf = async (settings: Partial<CredentialSettings>, more: Record<string, string>) => {
      const found = await chooseProvider({ ...NOTHING, ...settings }, { ...env, ...more }).get(signal());
      return found.kind === "keys" ? `${found.accessKeyId} ${found.secretAccessKey}` : found.kind;
    };
    const environment = { AWS_ACCESS_KEY_ID: "e", AWS_SECRET_ACCESS_KEY: "f" };
    assert.equal(await idOf({ accessKeyId: "k", secretAccessKey: "s" }, environment), "k s");
    assert.equal(await idOf({}, environment), "e f");
    assert.equal(await idOf({}, {}), "a b=c");
    assert.equal(await idOf({ profile: "default" }, environment), "a b=c");
    assert.deepEqual([...readProfile("[x]\na = 1\n; b = 2\n[y]\na = 3\n", "x")], [["a", "1"]]);
  });

  it("are asked for again later when their service is in trouble, and not when it refuses", async () => {
    const env = (url: string) => ({
      env: { AWS_ROLE_ARN: "r", AWS_WEB_IDENTITY_TOKEN_FILE: file("token", "t"), AWS_ENDPOINT_URL_STS: url },
    });
    await assert.rejects(obtain({ status: 503, text: "" }, env), RetriableError);
    await assert.rejects(
      obtain({ status: 403, text: "AccessDenied" }, env),
      (error) => error instanceof ConfigError && /role r: .*403/.test(error.message),
    );
    await assert.rejects(chooseProvider(NOTHING, NO_FILE).get(signal()), /No credentials: set aws\.access\.key\.id/);
  });

  it("are kept until shortly before they end", async () => {
    let now = 0;
    let asked = 0;
    let away = false;
    const kept = keepCredentials(
      {
        name: "test",
        async get() {
          if (away) throw new RetriableError("away");
          asked += 1;
          return { kind: "bearer", token: String(asked), expiresAt: now + 3_600_000 };
        },
      },
      () => now,
    );
    const token = async () => {
      const found = await kept.get(signal());
      return found.kind === "bearer" ? found.token : "";
    };
    assert.deepEqual(await Promise.all([token(), token()]), ["1", "1"]);
    now = 3_000_000;
    assert.equal(await token(), "1");
    now = 3_400_000;
    away = true;
    assert.equal(await token(), "1", "good for some minutes, though the service is away");
    now = 3_600_000;
    await assert.rejects(token(), RetriableError);
    away = false;
    assert.equal(await token(), "2");
    kept.forget();
    assert.equal(await token(), "3");
  });

  it("come for all who wait, though the one who asked first has given up", async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    const answered = Promise.withResolvers<Credentials>();
    const kept = keepCredentials(
      {
        name: "test",
        async get(each) {
          asked.resolve(each);
          return await answered.promise;
        },
      },
      () => 0,
    );
    const first = new AbortController();
    const abandoned = kept.get(first.signal);
    const other = kept.get(signal());
    first.abort(new Error("the first gives up"));
    await assert.rejects(abandoned, /the first gives up/);
    assert.equal((await asked.promise).aborted, false);
    answered.resolve({ kind: "bearer", token: "t" });
    assert.deepEqual(await other, { kind: "bearer", token: "t" });
  });

  it("are not to be seen in the error of an answer that is no JSON", async () => {
    const made = obtain({ status: 200, text: "secret" }, (url) => ({
      env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: url },
    }));
    await assert.rejects(made, (error) => error instanceof RetriableError && !error.message.includes("secret"));
  });

  for (const [method, body] of [
    ["GET", "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>"],
    ["HEAD", ""],
  ] as const)
    it(`are fetched anew when the server says that they have ended, and a token is sent as one: ${method}`, async () => {
      let asked = 0;
      const credentials = keepCredentials(
        { name: "test", get: async () => ({ kind: "bearer", token: `t${++asked}` }) },
        Date.now,
      );
      const server = await openTestServer(({ headers }, response) => {
        const good = headers.authorization === "Bearer t2";
        response.writeHead(good ? 200 : 400);
        response.end(good && method === "GET" ? "fine" : body);
      });
      const sender = createSender({
        credentials,
        region: "r",
        timeoutMs: 60_000,
        retries: 1,
        backoffMs: 1,
        random: Math.random,
        sent: () => {},
      });
      try {
        const answer = await sender.send({ method, url: `${server.url}/b/` }, signal());
        assert.equal(await answer.text(), method === "GET" ? "fine" : "");
      } finally {
        await server.close();
      }
    });
});
