import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { toKafkaJs, toLibrdkafka, workerSecurityProblems } from "#runtime/kafka/client-config.ts";
import { feedTokens } from "#runtime/kafka/native-token.ts";
import { fetchToken, type OAuthToken } from "#runtime/kafka/oauth-token.ts";
import type { OAuthSettings, OAuthSource } from "#runtime/kafka/settings.ts";
import { createTokenSource, refreshAtMs } from "#runtime/kafka/token-source.ts";
import { startTokenEndpoint } from "#support/token-endpoint.ts";

const signal = AbortSignal.timeout(60_000);
const REFRESH = {
  windowFactor: 0.8,
  windowJitter: 0,
  minPeriodSeconds: 60,
  bufferSeconds: 300,
  retryBackoffMs: 10,
  retryBackoffMaxMs: 100,
};
const settings = (source: OAuthSource): OAuthSettings => ({
  source,
  extensions: { logicalCluster: "lkc-1" },
  principalClaim: "sub",
  refresh: REFRESH,
});
const endpoint = (url: string, clientSecret: string): OAuthSource => ({
  kind: "client-credentials",
  url,
  clientId: "me",
  clientSecret,
  scope: "kafka",
  urlEncode: false,
  tls: null,
  timeoutMs: 5_000,
});

describe("settings for OAUTHBEARER", () => {
  const base = { "security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER" };
  const module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";

  it("are Java's", () => {
    const { oauth, config } = toLibrdkafka(
      {
        ...base,
        "sasl.oauthbearer.token.endpoint.url": "https://idp/token",
        "sasl.jaas.config": `${module} clientId="me" clientSecret="s" scope="kafka" extension_logicalCluster="lkc-1";`,
        "sasl.login.refresh.window.jitter": "0",
        "sasl.login.retry.backoff.ms": "10",
        "sasl.login.retry.backoff.max.ms": "100",
        "sasl.login.read.timeout.ms": "5000",
      },
      "producer",
    );
    assert.deepEqual(oauth, settings(endpoint("https://idp/token", "s")));
    assert.equal(config["sasl.mechanism"], "OAUTHBEARER");
    assert.equal(config["sasl.password"], undefined);
  });

  for (const [what, more, expected] of [
    ["a file", { "sasl.oauthbearer.token.endpoint.url": "file:///run/token" }, { kind: "file", path: "/run/token" }],
    [
      "Strimzi's file",
      { "sasl.jaas.config": `${module} oauth.access.token.location="/t";` },
      { kind: "file", path: "/t" },
    ],
    [
      "Strimzi's token",
      { "sasl.jaas.config": `${module} oauth.access.token="abc";` },
      { kind: "in-place", token: "abc" },
    ],
    [
      "an unsecured login",
      { "sasl.jaas.config": `${module} unsecuredLoginStringClaim_sub="me" unsecuredLoginListClaim_scope=",a,b";` },
      { kind: "unsecured", claims: { sub: "me", scope: ["a", "b"] }, lifetimeSeconds: 3600 },
    ],
  ] as const) {
    it(`may name ${what}`, () => {
      const { sasl } = toKafkaJs({ ...base, ...more }).settings;
      assert.ok(sasl?.mechanism === "oauthbearer");
      assert.deepEqual(sasl.oauth.source, expected);
    });
  }

  it("are refused with what is missing", () => {
    assert.throws(() => toKafkaJs(base), {
      code: "config-invalid",
      message: /sasl\.oauthbearer\.token\.endpoint\.url must be given/,
    });
    const url = { "sasl.oauthbearer.token.endpoint.url": "https://idp/token" };
    assert.throws(() => toKafkaJs({ ...base, ...url }), { message: /sasl\.jaas\.config must have clientId/ });
  });

  it("of the worker are checked with each prefix", () => {
    assert.deepEqual(workerSecurityProblems({ ...base, "security.protocol": "SSL" }), []);
    const [problem, ...more] = workerSecurityProblems({
      "security.protocol": "SSL",
      "consumer.security.protocol": "SASL_SSL",
    });
    assert.match(problem ?? "", /^consumer\.sasl\.mechanism GSSAPI \(the default\) is not supported/);
    assert.deepEqual(more, []);
  });
});

describe("a token", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-token-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  it("comes from the endpoint", async () => {
    const server = await startTokenEndpoint({ clientId: "me", clientSecret: "right", lifetimeSeconds: 60 });
    try {
      const token = await fetchToken(settings(endpoint(server.url, "right")), Date.now(), signal);
      assert.equal(token.principal, "me");
      assert.deepEqual(token.extensions, { logicalCluster: "lkc-1" });
      assert.ok(token.expiresAtMs > Date.now() + 30_000);
      await assert.rejects(fetchToken(settings(endpoint(server.url, "canary")), Date.now(), signal), (error: Error) => {
        assert.match(error.message, /token endpoint http:.*\/token answered 401 invalid_client; check clientId/);
        return !/canary/.test(error.message);
      });
    } finally {
      await server.stop();
    }
    await assert.rejects(fetchToken(settings(endpoint(server.url, "right")), Date.now(), signal), {
      code: "kafka-access",
      message: /cannot be reached: .*check sasl\.oauthbearer\.token\.endpoint\.url/,
    });
  });

  it("comes from a file, of which nothing is shown when it is something else", async () => {
    const path = join(dir, "token");
    writeFileSync(path, "opaque-token\n");
    const source: OAuthSource = { kind: "file", path };
    assert.equal((await fetchToken(settings(source), 0, signal)).value, "opaque-token");
    writeFileSync(path, "root:canary:0:0\nhello");
    await assert.rejects(fetchToken(settings(source), 0, signal), (error: Error) => {
      assert.match(error.message, /The token file .* gave something that is not a token/);
      return !/canary/.test(error.message);
    });
    rmSync(path);
    await assert.rejects(fetchToken(settings(source), 0, signal), { code: "kafka-access", message: /cannot be read/ });
  });

  it("is not taken when it has expired", async () => {
    const source: OAuthSource = { kind: "unsecured", claims: { sub: "me", exp: 1 }, lifetimeSeconds: 10 };
    await assert.rejects(fetchToken(settings(source), 5_000, signal), { message: /has expired; renew it/ });
  });
});

describe("renewal", () => {
  for (const [what, lifetimeS, expectedS] of [
    ["at four fifths of a long life", 3_600, 2_880],
    ["before the buffer", 1_000, 700],
    ["not before the least period", 365, 65],
    ["at four fifths of a life too short for both", 100, 80],
  ] as const) {
    it(`comes ${what}`, () => {
      assert.equal(refreshAtMs(0, lifetimeS * 1_000, REFRESH, 0.5), expectedS * 1_000);
    });
  }

  /** A source whose fetches are answered by hand, on a clock that moves with its sleeps. */
  function byHand() {
    let nowMs = 0;
    let fetches = 0;
    let broken = false;
    const source = createTokenSource(settings({ kind: "in-place", token: "" }), {
      fetch: async ({ extensions }, now): Promise<OAuthToken> => {
        fetches += 1;
        if (broken) throw new Error("down");
        return { value: `t${fetches}`, principal: "me", expiresAtMs: now + 100_000, extensions };
      },
      now: () => nowMs,
      random: () => 0.5,
      sleep: async (ms, limit) => {
        await new Promise((resolve) => setImmediate(resolve));
        limit.throwIfAborted();
        nowMs += ms;
      },
    });
    return {
      source,
      fetches: () => fetches,
      advance: (ms: number) => {
        nowMs += ms;
      },
      breakDown: (value: boolean) => {
        broken = value;
      },
    };
  }

  it("is asked for once by many, and again only when it is due or refused", async () => {
    const { source, fetches, advance, breakDown } = byHand();
    const [first, second] = await Promise.all([source.token(signal), source.token(signal)]);
    assert.deepEqual([first.value, second.value, fetches()], ["t1", "t1", 1]);
    advance(79_000);
    assert.equal((await source.token(signal)).value, "t1");
    advance(2_000);
    breakDown(true);
    assert.equal((await source.token(signal)).value, "t1", "the old one is still good");
    breakDown(false);
    assert.equal((await source.token(signal)).value, "t3");
    source.reject("t1");
    assert.equal((await source.token(signal)).value, "t3");
    source.reject("t3");
    assert.equal((await source.token(signal)).value, "t4");
  });

  it("reaches those who subscribe, in time, and failures only once the old token is over", async () => {
    const { source, breakDown } = byHand();
    const heard: string[] = [];
    const failed = Promise.withResolvers<void>();
    const healed = Promise.withResolvers<void>();
    const stop = feedTokens(
      settings({ kind: "in-place", token: "" }),
      {
        set: (value, expiresMs, principal, extensions) => {
          heard.push(`${value} until ${expiresMs} ${principal} ${extensions.join("=")}`);
          if (heard.length === 3) breakDown(true);
          if (heard.length > 3) healed.resolve();
        },
        fail: (reason) => {
          assert.equal(reason, "down");
          breakDown(false);
          failed.resolve();
        },
      },
      () => source,
    );
    await failed.promise;
    await healed.promise;
    stop();
    assert.deepEqual(heard.slice(0, 3), [
      "t1 until 100000 me logicalCluster=lkc-1",
      "t2 until 180000 me logicalCluster=lkc-1",
      "t3 until 260000 me logicalCluster=lkc-1",
    ]);
  });
});
