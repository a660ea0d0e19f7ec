import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { KafkaConnectSpec } from "@headrace/contract";
import { parseAllDocuments } from "yaml";
import { repoRoot } from "#dev/cache.ts";
import { PKCS12_PASSWORD } from "#dev/kafka/certificates.ts";
import { type SecuredKafka, startSecuredKafka } from "#dev/kafka/secured.ts";
import { freePorts } from "#dev/process.ts";
import { kafkaAccess } from "#operator/cluster/kafka-access.ts";
import { eventually, Stop } from "#support/eventually.ts";
import { uniqueName } from "#support/kafka.ts";
import { startTokenEndpoint, type TokenEndpoint, unsignedToken } from "#support/token-endpoint.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

const PLAIN_PASSWORD = "plain;canary";
const SCRAM_PASSWORD = "scram-canary";
const OAUTH_SECRET = "oauth-canary";
const WRONG_PASSWORD = "wrong-canary";
const CANARIES = [PLAIN_PASSWORD, SCRAM_PASSWORD, OAUTH_SECRET, WRONG_PASSWORD, PKCS12_PASSWORD, "eyJhbGciOiJub25l"];
/** Of the tokens in a file: a slow machine must not be later than that with one. */
const LIFETIME_SECONDS = 12;
const SECURITY = "org.apache.kafka.common.security";

const login = (module: string, options: Record<string, string>) =>
  `${SECURITY}.${module} required ${Object.entries(options)
    .map(([key, value]) => `${key}="${value}"`)
    .join(" ")};`;
/** Whether a sink's file has these lines, in this order, and no others. It may have some of them again: records come at least once. */
const has = (file: string, text: string) => [...new Set(readFileSync(file, "utf8").split("\n"))].join("\n") === text;
/** A PEM file's text on one line, as a properties file has it. */
const inPlace = (file: string) => readFileSync(file, "utf8").trim().replaceAll("\n", " ");
/** The worker properties by which the KafkaConnect of an example gets in. */
const accessOf = (example: string): Readonly<Record<string, string>> => {
  const objects = parseAllDocuments(readFileSync(join(repoRoot, "examples", example), "utf8")).map((one) => one.toJS());
  const { spec } = objects.find(({ kind }) => kind === "KafkaConnect");
  return kafkaAccess(KafkaConnectSpec.parse(spec)).properties;
};
const plain = (password: string) => login("plain.PlainLoginModule", { username: "worker", password });
const scram = (password: string) => login("scram.ScramLoginModule", { username: "scram", password });

describe("workers of a secured Kafka", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-security-"));
  let secured: SecuredKafka;
  let tokens: TokenEndpoint;
  const logs: string[] = [];
  const answers: string[] = [];

  before(async () => {
    tokens = await startTokenEndpoint({ clientId: "oauth", clientSecret: OAUTH_SECRET, lifetimeSeconds: 12 });
    secured = await startSecuredKafka({ dir, plainUsers: { worker: PLAIN_PASSWORD }, maxReauthMs: 15_000 });
    await secured.setScramPassword("SCRAM-SHA-256", "scram", SCRAM_PASSWORD);
    await secured.setScramPassword("SCRAM-SHA-512", "scram", SCRAM_PASSWORD);
  });
  after(async () => {
    await secured.kafka.stop();
    await tokens.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const truststore = () => ({ "ssl.truststore.type": "PEM", "ssl.truststore.location": secured.certificates.ca });
  const pkcs12 = () => ({
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": secured.certificates.clientPkcs12,
    "ssl.keystore.password": PKCS12_PASSWORD,
  });
  const ofAllClients = (settings: Record<string, string>) =>
    Object.fromEntries(
      ["producer", "consumer", "admin"].flatMap((client) =>
        Object.entries(settings).map(([key, value]) => [`${client}.override.${key}`, value]),
      ),
    );
  const overPlain = () => ({
    "bootstrap.servers": secured.saslSsl,
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "PLAIN",
    "sasl.jaas.config": plain(PLAIN_PASSWORD),
    ...truststore(),
  });
  const ask = async (worker: TestWorker, path: string): Promise<string> => {
    const text = JSON.stringify((await rest(worker.url, "GET", path)).body);
    answers.push(text);
    return text;
  };
  const create = async (worker: TestWorker, name: string, config: Record<string, string>) => {
    const { status, body } = await rest(worker.url, "PUT", `/connectors/${name}/config`, config);
    if (config["producer.override.ssl.keystore.password"] === undefined) answers.push(JSON.stringify(body));
    assert.ok(status === 201 || status === 200, JSON.stringify(body));
  };
  const start = async (properties: Record<string, string>): Promise<TestWorker> => {
    const group = uniqueName("secured");
    const worker = await startWorker({ dir, properties: { ...groupProperties("", group), ...properties } });
    logs.push(worker.process.logFile);
    return worker;
  };

  /** Lines go through a source, a topic and a sink. `more`: of both connectors. */
  const copies = async (worker: TestWorker, more: Record<string, string> = {}) => {
    const name = uniqueName("copy");
    const [from, to] = [join(dir, `${name}.in`), join(dir, `${name}.out`)];
    writeFileSync(from, "one\ntwo\n");
    await create(worker, `${name}-source`, { "connector.class": "FileStreamSource", file: from, topic: name, ...more });
    await create(worker, `${name}-sink`, { "connector.class": "FileStreamSink", file: to, topics: name, ...more });
    await eventually("the lines are copied", async () => {
      if (existsSync(to) && has(to, "one\ntwo\n")) return true;
      const statuses = await Promise.all(
        ["source", "sink"].map((end) => ask(worker, `/connectors/${name}-${end}/status`)),
      );
      if (statuses.some((status) => status.includes("FAILED"))) throw new Stop(statuses.join("\n"));
      return false;
    });
    return { from, to, name };
  };

  for (const [what, properties] of [
    [
      "SSL with a client's certificate in PEM files, its connectors' in PKCS #12",
      () => ({
        "bootstrap.servers": secured.ssl,
        "security.protocol": "SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": secured.certificates.client,
        ...truststore(),
      }),
    ],
    [
      "SSL with key, certificate and authority given in place as PEM",
      () => ({
        "bootstrap.servers": secured.ssl,
        "security.protocol": "SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": inPlace(secured.certificates.clientKey),
        "ssl.keystore.certificate.chain": inPlace(secured.certificates.clientCertificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": inPlace(secured.certificates.ca),
      }),
    ],
    [
      "SCRAM-SHA-256 without TLS",
      () => ({
        "bootstrap.servers": secured.saslPlaintext,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.jaas.config": scram(SCRAM_PASSWORD),
      }),
    ],
    [
      "SCRAM-SHA-512 over TLS, PEM given in place",
      () => ({
        "bootstrap.servers": secured.saslSsl,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": scram(SCRAM_PASSWORD),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": inPlace(secured.certificates.ca),
      }),
    ],
  ] as const) {
    it(`come up and move records with ${what}, given once`, async () => {
      const worker = await start(properties());
      try {
        await copies(worker);
        if ("ssl.keystore.location" in properties()) await copies(worker, ofAllClients(pkcs12()));
      } finally {
        await worker.process.stop();
      }
    });
  }

  it("come up and move records with OAUTHBEARER, and outlive their tokens", async () => {
    const worker = await start({
      "bootstrap.servers": secured.saslSsl,
      "security.protocol": "SASL_SSL",
      "sasl.mechanism": "OAUTHBEARER",
      "sasl.oauthbearer.token.endpoint.url": tokens.url,
      "sasl.login.callback.handler.class": `${SECURITY}.oauthbearer.OAuthBearerLoginCallbackHandler`,
      "sasl.jaas.config": login("oauthbearer.OAuthBearerLoginModule", {
        clientId: "oauth",
        clientSecret: OAUTH_SECRET,
        scope: "kafka",
      }),
      ...truststore(),
    });
    try {
      const { from, to } = await copies(worker);
      const before = tokens.given();
      await eventually("tokens are renewed", () => tokens.given() >= before + 4, 120_000);
      writeFileSync(from, "one\ntwo\nthree\n");
      await eventually("a line that came later is copied", () => has(to, "one\ntwo\nthree\n"), 120_000);
      assert.match(await ask(worker, "/health"), /healthy/);
    } finally {
      await worker.process.stop();
    }
  });

  it("come up and move records with a token file as examples/msk-iam.yaml has it, and take up the tokens that replace it", async () => {
    const file = join(dir, "token.jwt");
    const { "sasl.oauthbearer.token.endpoint.url": url, ...access } = accessOf("msk-iam.yaml");
    assert.match(url ?? "", /^file:/);
    const renew = () => {
      // In one step, as the kubelet does: half a token is none.
      writeFileSync(`${file}.new`, unsignedToken({ sub: "oauth", scope: "kafka", lifetimeSeconds: LIFETIME_SECONDS }));
      renameSync(`${file}.new`, file);
    };
    renew();
    const startedAt = Date.now();
    const renewing = setInterval(renew, 1_000);
    const worker = await start({
      "bootstrap.servers": secured.saslSsl,
      ...access,
      "sasl.oauthbearer.token.endpoint.url": pathToFileURL(file).href,
      ...truststore(),
    });
    try {
      const { from, to } = await copies(worker);
      await eventually("the first token has expired", () => Date.now() > startedAt + LIFETIME_SECONDS * 1_000 + 1_000);
      writeFileSync(from, "one\ntwo\nthree\n");
      await eventually("a line that came later is copied", () => has(to, "one\ntwo\nthree\n"), 120_000);
      await copies(worker);
      assert.match(await ask(worker, "/health"), /healthy/);
    } finally {
      clearInterval(renewing);
      await worker.process.stop();
    }
  });

  it("let connectors have their own credentials, and say within seconds what is wrong with them", async () => {
    const secrets = join(dir, "secrets.properties");
    writeFileSync(secrets, `good=${SCRAM_PASSWORD}\nwrong=${WRONG_PASSWORD}\n`);
    const worker = await start({
      ...overPlain(),
      "config.providers": "file",
      "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
    });
    const withPassword = (key: string) =>
      ofAllClients({ "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": scram(`\${file:${secrets}:${key}}`) });
    try {
      const { from, to, name } = await copies(worker, withPassword("good"));
      const failing = async (connector: string, config: Record<string, string>, expected: RegExp) => {
        await create(worker, connector, config);
        await eventually(`${connector} says what is wrong`, async () =>
          expected.test(await ask(worker, `/connectors/${connector}/status`)),
        );
      };
      const source = { "connector.class": "FileStreamSource", file: from, topic: name };
      const sink = { "connector.class": "FileStreamSink", file: to, topics: name };
      const where = /FAILED.*localhost:\d+.*/.source;
      const {
        "admin.override.sasl.mechanism": _,
        "admin.override.sasl.jaas.config": __,
        ...wrong
      } = withPassword("wrong");
      await failing("password-source", { ...source, ...wrong }, new RegExp(`${where}check sasl.mechanism`));
      await failing("password-sink", { ...sink, ...wrong }, new RegExp(`${where}check sasl.mechanism`));
      const other = secured.certificates.otherCa;
      const authority = {
        "producer.override.ssl.truststore.location": other,
        "consumer.override.ssl.truststore.location": other,
      };
      await failing("authority-source", { ...source, ...authority }, new RegExp(`${where}check ssl.truststore`));
      await failing("authority-sink", { ...sink, ...authority }, new RegExp(`${where}check ssl.truststore`));
      const address = secured.saslSsl.replace("localhost", "127.0.0.1");
      const name_ = { "consumer.override.bootstrap.servers": address };
      await failing("name-sink", { ...sink, ...name_ }, /FAILED.*127\.0\.0\.1:\d+.*a name that its certificate has/);
      // Java's default mechanism, and a keystore of the JVM: known before anything runs.
      for (const [given, expected] of [
        [{ "producer.override.sasl.mechanism": "GSSAPI" }, /GSSAPI is not supported: Kerberos is missing/],
        [
          { "producer.override.ssl.truststore.location": "/x.jks", "producer.override.ssl.truststore.type": "JKS" },
          /keytool -exportcert/,
        ],
        [
          {
            "producer.override.sasl.mechanism": "OAUTHBEARER",
            "producer.override.sasl.oauthbearer.token.endpoint.url": "file:///etc/passwd",
          },
          /headrace\.sasl\.oauthbearer\.allowed\.urls/,
        ],
      ] as const) {
        const refused = await rest(worker.url, "PUT", "/connectors/refused/config", { ...source, ...given });
        assert.equal(refused.status, 400);
        assert.match(JSON.stringify(refused.body), expected);
      }
      await create(worker, "password-source", { ...source, ...withPassword("good") });
      await eventually("it runs once it is corrected", async () =>
        /^(?!.*FAILED).*RUNNING.*RUNNING/.test(await ask(worker, "/connectors/password-source/status")),
      );
      answers.push(await (await fetch(`${worker.url}/metrics`)).text());
    } finally {
      await worker.process.stop();
    }
  });

  it("log in each kind of client with credentials of its own, unless a connector overrides them", async () => {
    const as = (username: string, password: string) => ({
      "sasl.mechanism": "SCRAM-SHA-512",
      "sasl.jaas.config": login("scram.ScramLoginModule", { username, password }),
    });
    const prefixed = (prefix: string, settings: Record<string, string>) =>
      Object.fromEntries(Object.entries(settings).map(([key, value]) => [`${prefix}${key}`, value]));
    const secrets = join(dir, "overrides.properties");
    writeFileSync(secrets, `password=${SCRAM_PASSWORD}\n`);
    const known = as("scram", `\${file:${secrets}:password}`);
    // The users of consumers and admins do not exist yet: whoever logs in as one of them is refused.
    const worker = await start({
      ...overPlain(),
      ...prefixed("producer.", as("scram", SCRAM_PASSWORD)),
      ...prefixed("consumer.", as("of-consumers", SCRAM_PASSWORD)),
      ...prefixed("admin.", as("of-admins", SCRAM_PASSWORD)),
      "config.providers": "file",
      "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
    });
    try {
      const topic = uniqueName("prefixes");
      const from = join(dir, `${topic}.in`);
      const source = { "connector.class": "FileStreamSource", file: from, topic };
      const sink = (name: string) => ({
        "connector.class": "FileStreamSink",
        topics: topic,
        file: join(dir, `${topic}-${name}`),
      });
      const copied = (name: string) => eventually(`${name} has the lines`, () => has(sink(name).file, "one\ntwo\n"));
      const offsets = (name: string) => rest(worker.url, "GET", `/connectors/${topic}-${name}/offsets`);
      writeFileSync(from, "one\ntwo\n");
      await create(worker, `${topic}-source`, source);
      await create(worker, `${topic}-sink`, sink("sink"));
      await create(worker, `${topic}-other`, { ...sink("other"), ...prefixed("consumer.override.", known) });
      await copied("other");
      await eventually("the consumer is refused", async () =>
        /FAILED.*check sasl\.mechanism/.test(await ask(worker, `/connectors/${topic}-sink/status`)),
      );
      await eventually("the source runs", async () =>
        /^(?!.*FAILED).*RUNNING.*RUNNING/.test(await ask(worker, `/connectors/${topic}-source/status`)),
      );
      const refused = await offsets("other");
      assert.equal(refused.status, 500, "the admin is refused");
      assert.match(JSON.stringify(refused.body), /check sasl\.mechanism/);

      await secured.setScramPassword("SCRAM-SHA-512", "of-consumers", SCRAM_PASSWORD);
      const restarted = await rest(worker.url, "POST", `/connectors/${topic}-sink/tasks/0/restart`);
      assert.equal(restarted.status, 204);
      await copied("sink");
      assert.equal((await offsets("sink")).status, 500, "the admin is no consumer");
      await create(worker, `${topic}-sink`, { ...sink("sink"), ...prefixed("admin.override.", known) });
      await eventually("the admin is let in", async () => (await offsets("sink")).status === 200);
    } finally {
      await worker.process.stop();
    }
  });

  it("say why Kafka does not let them in, and come up when that is corrected", async () => {
    const ca = join(dir, "mounted-ca.pem");
    cpSync(secured.certificates.otherCa, ca);
    const [port = 0] = await freePorts(1);
    const starting = startWorker({
      dir,
      port,
      properties: {
        ...groupProperties("", uniqueName("refused")),
        ...overPlain(),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": login("scram.ScramLoginModule", { username: "late", password: SCRAM_PASSWORD }),
        "ssl.truststore.location": ca,
      },
    });
    starting.catch(() => undefined); // Told below.
    const logFile = join(dir, `worker-${port}.log`);
    logs.push(logFile);
    const said = (what: RegExp) =>
      eventually(`the log says ${what}`, () => existsSync(logFile) && what.test(readFileSync(logFile, "utf8")));
    await said(
      /does not let this worker in.*|No secure connection to Kafka broker localhost:\d+.*ssl\.truststore\.location/,
    );
    await said(
      /No secure connection to Kafka broker localhost:\d+ \([A-Z_]+\).*give the broker's certificate authority/,
    );
    cpSync(secured.certificates.ca, ca);
    await said(/Kafka broker localhost:\d+ refused the credentials \(SASL SCRAM-SHA-512\).*the user exists in Kafka/);
    await secured.setScramPassword("SCRAM-SHA-512", "late", SCRAM_PASSWORD);
    const worker = await starting;
    try {
      assert.match(await ask(worker, "/health"), /healthy/);
    } finally {
      await worker.process.stop();
    }
  });

  it("show no secret in a log, a status, an answer or a metric", () => {
    assert.ok(logs.length >= 8 && answers.length > 10);
    const texts = [...logs.map((file) => readFileSync(file, "utf8")), ...answers];
    const [, keyLine = ""] = readFileSync(secured.certificates.clientKey, "utf8").split("\n");
    assert.ok(keyLine.length > 30);
    for (const canary of [...CANARIES, keyLine]) {
      assert.deepEqual(
        texts
          .filter((text) => text.includes(canary))
          .map((text) => text.slice(text.indexOf(canary) - 200, text.indexOf(canary))),
        [],
      );
    }
  });
});
