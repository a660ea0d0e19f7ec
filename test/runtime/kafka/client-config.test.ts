import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  adminConfig,
  connectorAdminConfig,
  dlqProducerConfig,
  groupClientConfig,
  sinkConsumerConfig,
  sourceProducerConfig,
  toKafkaJs,
  toLibrdkafka,
  workerClientConfig,
} from "#runtime/kafka/client-config.ts";
import { parseJaasOptions } from "#runtime/kafka/jaas.ts";

const WORKER = { "bootstrap.servers": "k1:9092,k2:9092", "group.id": "g" };

const client = (worker: Record<string, string> = {}, connectorConfig: Record<string, string> = {}) => ({
  worker: { ...WORKER, ...worker },
  connectorConfig,
  connector: "c",
  task: 2,
});

describe("source producer", () => {
  it("is idempotent, waits for all replicas, never gives up and bounds its queue in bytes", () => {
    const { config, warnings } = sourceProducerConfig(client());
    assert.deepEqual(config, {
      "bootstrap.servers": "k1:9092,k2:9092",
      "client.id": "connector-producer-c-2",
      "security.protocol": "plaintext",
      acks: "all",
      "enable.idempotence": "true",
      "enable.gapless.guarantee": "true",
      partitioner: "murmur2_random",
      "message.timeout.ms": "0",
      "message.max.bytes": "1048576",
      "queue.buffering.max.kbytes": "8192",
      "queue.buffering.max.messages": "24576",
      "batch.num.messages": "5000",
      "log.connection.close": "false",
      "socket.keepalive.enable": "true",
      "reconnect.backoff.ms": "50",
      "reconnect.backoff.max.ms": "1000",
    });
    assert.deepEqual(warnings, []);
  });

  it("may have gaps only if the connector tolerates errors", () => {
    const tolerant = sourceProducerConfig(client({}, { "errors.tolerance": "ALL" })).config;
    assert.equal(tolerant["enable.gapless.guarantee"], undefined);
    assert.equal(dlqProducerConfig(client()).config["enable.gapless.guarantee"], undefined);
  });

  it("has room for eight requests, up to Java's default, unless it is told otherwise", () => {
    const rows: readonly [Record<string, string>, string][] = [
      [{ "producer.max.request.size": "2097152" }, "16384"],
      [{ "producer.max.request.size": "10485760" }, "32768"],
      [{ "producer.max.request.size": "100000" }, "8192"],
      [{ "producer.max.request.size": "2097152", "producer.buffer.memory": "1048576" }, "1024"],
    ];
    for (const [worker, kilobytes] of rows) {
      assert.equal(sourceProducerConfig(client(worker)).config["queue.buffering.max.kbytes"], kilobytes);
    }
  });

  it("has room for more records where records linger, or where the memory for them is given", () => {
    const recordsOf = (worker: Record<string, string>, connector: Record<string, string> = {}) => {
      const { config } = sourceProducerConfig(client(worker, connector));
      return [config["queue.buffering.max.messages"], config["batch.num.messages"]];
    };
    assert.deepEqual(recordsOf({ "producer.batch.size": "1000000" }), ["24576", undefined]);
    assert.deepEqual(recordsOf({ "producer.linger.ms": "1000" }), ["100000", undefined]);
    assert.deepEqual(recordsOf({}, { "producer.override.buffer.memory": "67108864" }), ["100000", undefined]);
  });

  it("takes the connector's overrides before the worker's, and those before its own", () => {
    const worker = { "producer.linger.ms": "1", "producer.batch.size": "100", "producer.client.id": "w" };
    const { config } = sourceProducerConfig(client(worker, { "producer.override.linger.ms": "9" }));
    assert.deepEqual([config["linger.ms"], config["batch.size"], config["client.id"]], ["9", "100", "w"]);
  });

  it("takes nothing but bootstrap servers and security from the worker's own keys", () => {
    const worker = {
      "request.timeout.ms": "1",
      "client.id": "x",
      "security.protocol": "SSL",
      "consumer.client.id": "y",
    };
    const { config } = sourceProducerConfig(client(worker));
    assert.equal(config["request.timeout.ms"], undefined);
    assert.equal(config["client.id"], "connector-producer-c-2");
    assert.equal(config["security.protocol"], "ssl");
  });

  for (const overrides of [
    { acks: "1" },
    { acks: "0" },
    { retries: "0" },
    { "max.in.flight.requests.per.connection": "6" },
    { "enable.idempotence": "false" },
  ]) {
    it(`is not idempotent, and says so, with ${JSON.stringify(overrides)}`, () => {
      const prefixed = Object.fromEntries(
        Object.entries(overrides).map(([key, value]) => [`producer.override.${key}`, value]),
      );
      const { config, warnings } = sourceProducerConfig(client({}, prefixed));
      assert.equal(config["enable.idempotence"], "false");
      assert.equal(config["enable.gapless.guarantee"], undefined);
      assert.match(warnings.join(), /not idempotent/);
      const inFlight = overrides["max.in.flight.requests.per.connection"] ?? "1";
      assert.equal(config["max.in.flight.requests.per.connection"], inFlight);
    });
  }

  it("leaves a contradiction for the client to refuse, as Java does", () => {
    const overrides = { "producer.override.enable.idempotence": "true", "producer.override.acks": "1" };
    const { config } = sourceProducerConfig(client({}, overrides));
    assert.deepEqual([config["enable.idempotence"], config["acks"]], ["true", "1"]);
  });
});

describe("other clients of connectors", () => {
  it("are named as in Kafka Connect", () => {
    assert.equal(dlqProducerConfig(client()).config["client.id"], "connector-dlq-producer-c-2");
    assert.equal(adminConfig(client()).settings.clientId, "connector-adminclient-c-2");
    assert.equal(adminConfig(client(), "connector-dlq-adminclient").settings.clientId, "connector-dlq-adminclient-c-2");
    assert.equal(connectorAdminConfig(client()).settings.clientId, "connector-worker-adminclient-c");
  });

  it("include a consumer that reads from the beginning and commits only when told", () => {
    const { config, warnings } = sinkConsumerConfig(client(), "my-cluster");
    assert.deepEqual(config, {
      "bootstrap.servers": "k1:9092,k2:9092",
      "group.id": "connect-c",
      "client.id": "connector-consumer-c-2-my-cluster",
      "security.protocol": "plaintext",
      "auto.offset.reset": "earliest",
      "enable.auto.commit": "false",
      "isolation.level": "read_uncommitted",
      "allow.auto.create.topics": "true",
      "partition.assignment.strategy": "range",
      "heartbeat.interval.ms": "500",
      "log.connection.close": "false",
      "socket.keepalive.enable": "true",
      "reconnect.backoff.ms": "50",
      "reconnect.backoff.max.ms": "1000",
      "fetch.queue.backoff.ms": "20",
    });
    assert.deepEqual(warnings, []);
  });

  it("let consumers be overridden, but not to commit by themselves", () => {
    const worker = { "consumer.auto.offset.reset": "latest", "consumer.fetch.max.wait.ms": "10" };
    const overrides = {
      "consumer.override.group.id": "mine",
      "consumer.override.enable.auto.commit": "true",
      "consumer.override.max.poll.records": "7",
    };
    const { config, properties, warnings } = sinkConsumerConfig(client(worker, overrides), "my-cluster");
    assert.equal(config["group.id"], "mine");
    assert.equal(config["auto.offset.reset"], "latest");
    assert.equal(config["fetch.wait.max.ms"], "10");
    assert.equal(config["enable.auto.commit"], "false");
    assert.equal(properties["max.poll.records"], "7");
    assert.match(warnings.join(), /enable\.auto\.commit/);
  });

  it("include an admin that takes all the worker's client settings", () => {
    const worker = { "request.timeout.ms": "1234", "admin.retry.backoff.ms": "5", "config.storage.topic": "x" };
    const { settings, warnings } = adminConfig(client(worker, { "admin.override.request.timeout.ms": "99" }));
    assert.deepEqual([settings.requestTimeoutMs, settings.retryBackoffMs], [99, 5]);
    assert.deepEqual(settings.brokers, ["k1:9092", "k2:9092"]);
    assert.deepEqual(warnings, []);
  });
});

describe("clients of the worker", () => {
  for (const [worker, expected] of [
    [{ "group.id": "g" }, "g-configs"],
    [{ "group.id": "g", "client.id": "blue" }, "g-blue-configs"],
    [{ "client.id": "" }, "connect-configs"],
  ] as const) {
    it(`are called ${expected} with ${JSON.stringify(worker)}`, () => {
      assert.equal(workerClientConfig(worker, "configs").settings.clientId, expected);
    });
  }

  it("are called by the worker's id in the group, unless it has a client id", () => {
    assert.equal(groupClientConfig(WORKER, "h:8083").settings.clientId, "connect-h:8083");
    assert.equal(groupClientConfig({ ...WORKER, "client.id": "blue" }, "h:8083").settings.clientId, "blue");
  });
});

describe("translation for librdkafka", () => {
  for (const [kind, key, value, expected] of [
    ["producer", "buffer.memory", "1000", { "queue.buffering.max.kbytes": "1" }],
    ["producer", "delivery.timeout.ms", "120000", { "message.timeout.ms": "120000" }],
    ["producer", "delivery.timeout.ms", "2147483647", { "message.timeout.ms": "0" }],
    ["producer", "compression.type", "ZSTD", { "compression.type": "zstd" }],
    ["producer", "acks", " ALL ", { acks: "all" }],
    ["producer", "partitioner.ignore.keys", "true", { partitioner: "random" }],
    ["producer", "request.timeout.ms", "5000", { "request.timeout.ms": "5000" }],
    ["consumer", "request.timeout.ms", "5000", { "socket.timeout.ms": "5000" }],
    ["consumer", "auto.offset.reset", "none", { "auto.offset.reset": "error" }],
    ["consumer", "send.buffer.bytes", "-1", { "socket.send.buffer.bytes": "0" }],
    ["consumer", "connections.max.idle.ms", "-1", { "connections.max.idle.ms": "0" }],
    [
      "consumer",
      "metadata.max.age.ms",
      "60000",
      { "topic.metadata.refresh.interval.ms": "60000", "metadata.max.age.ms": "180000" },
    ],
    [
      "consumer",
      "partition.assignment.strategy",
      "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
      { "partition.assignment.strategy": "range" },
    ],
    [
      "consumer",
      "partition.assignment.strategy",
      "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
      { "partition.assignment.strategy": "cooperative-sticky" },
    ],
    ["producer", "max.block.ms", "1", {}],
  ] as const) {
    it(`makes ${JSON.stringify(expected)} of ${key}=${value} for a ${kind}`, () => {
      const { config, warnings } = toLibrdkafka({ [key]: value }, kind);
      assert.deepEqual(config, { "security.protocol": "plaintext", ...expected });
      assert.deepEqual(warnings, []);
    });
  }

  for (const [kind, key, value, used] of [
    ["producer", "interceptor.classes", "com.example.X", {}],
    ["producer", "no.such.key", "1", {}],
    ["producer", "max.poll.interval.ms", "1", {}],
    ["consumer", "linger.ms", "1", {}],
    ["consumer", "auto.offset.reset", "by_duration:P1D", {}],
    ["consumer", "partition.assignment.strategy", "com.example.Mine", {}],
    ["producer", "linger.ms", "soon", {}],
    ["producer", "request.timeout.ms", "2147483647", { "request.timeout.ms": "900000" }],
    ["producer", "batch.size", "0", { "batch.size": "1" }],
    ["consumer", "ssl.engine.factory.class", "x", null],
  ] as const) {
    it(`warns by name about ${key}=${value} for a ${kind}`, () => {
      const properties = used === null ? { [key]: value, "security.protocol": "SSL" } : { [key]: value };
      const { config, warnings } = toLibrdkafka(properties, kind);
      if (used !== null) assert.deepEqual(config, { "security.protocol": "plaintext", ...used });
      assert.equal(warnings.length, 1);
      assert.ok(warnings[0]?.startsWith(`${key} `));
    });
  }
});

describe("security", () => {
  const scram = {
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config":
      'org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="p\\"\\\\w";',
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": "/ca.pem",
  };

  it("is the worker's for every client, unless it is given again with a prefix", () => {
    for (const config of [
      sourceProducerConfig(client(scram)).config,
      sinkConsumerConfig(client(scram), "my-cluster").config,
    ]) {
      assert.equal(config["security.protocol"], "sasl_ssl");
      assert.equal(config["sasl.mechanism"], "SCRAM-SHA-512");
      assert.equal(config["sasl.username"], "u");
      assert.equal(config["sasl.password"], 'p"\\w');
      assert.equal(config["ssl.ca.location"], "/ca.pem");
      assert.equal(config["ssl.endpoint.identification.algorithm"], "https");
    }
    const { settings } = adminConfig(client(scram));
    assert.deepEqual(settings.sasl, { mechanism: "scram-sha-512", username: "u", password: 'p"\\w' });
    assert.deepEqual(settings.tls?.ca, { kind: "file", path: "/ca.pem" });
    const own = { "producer.override.security.protocol": "PLAINTEXT" };
    const { config } = sourceProducerConfig(client(scram, own));
    assert.deepEqual([config["security.protocol"], config["sasl.username"]], ["plaintext", undefined]);
  });

  it("takes PEM in place, on one line if need be", () => {
    const body = "A".repeat(70);
    const properties = {
      "security.protocol": "SSL",
      "ssl.truststore.type": "PEM",
      "ssl.truststore.certificates": `-----BEGIN CERTIFICATE----- ${body} -----END CERTIFICATE-----`,
      "ssl.keystore.type": "PEM",
      "ssl.keystore.certificate.chain": `-----BEGIN CERTIFICATE-----${body}-----END CERTIFICATE-----`,
      "ssl.keystore.key": `-----BEGIN ENCRYPTED PRIVATE KEY-----${body}-----END ENCRYPTED PRIVATE KEY-----`,
      "ssl.key.password": "secret",
      "ssl.endpoint.identification.algorithm": "",
    };
    const lines = `${"A".repeat(64)}\n${"A".repeat(6)}`;
    const certificate = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
    const key = `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
    assert.deepEqual(toLibrdkafka(properties, "producer"), {
      config: {
        "security.protocol": "ssl",
        "ssl.ca.pem": certificate,
        "ssl.certificate.pem": certificate,
        "ssl.key.pem": key,
        "ssl.key.password": "secret",
        "ssl.endpoint.identification.algorithm": "none",
      },
      oauth: null,
      warnings: [],
    });
    assert.deepEqual(toKafkaJs(properties).settings.tls, {
      ca: { kind: "text", text: certificate },
      certificate: { kind: "text", text: certificate },
      key: { kind: "text", text: key },
      keyPassword: "secret",
      pkcs12: null,
      pkcs12Password: null,
      verifyHostname: false,
    });
  });

  it("takes a PKCS #12 keystore", () => {
    const properties = {
      "security.protocol": "SSL",
      "ssl.keystore.type": "PKCS12",
      "ssl.keystore.location": "/me.p12",
      "ssl.keystore.password": "secret",
    };
    const { config } = toLibrdkafka(properties, "consumer");
    assert.deepEqual([config["ssl.keystore.location"], config["ssl.keystore.password"]], ["/me.p12", "secret"]);
    assert.deepEqual(toKafkaJs(properties).settings.tls?.pkcs12, { kind: "file", path: "/me.p12" });
  });

  for (const [what, properties] of [
    ["ssl.truststore.type", { "security.protocol": "SSL", "ssl.truststore.location": "/trust.jks" }],
    ["ssl.keystore.type", { "security.protocol": "SSL", "ssl.keystore.location": "/me.jks" }],
    ["sasl.mechanism", { "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "GSSAPI" }],
    [
      "sasl.jaas.config",
      { "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": "X required;" },
    ],
    ["security.protocol", { "security.protocol": "TELEPATHY" }],
  ] as const) {
    it(`makes no client of ${what} that cannot be used`, () => {
      const message = new RegExp(`^Kafka client settings: ${what.replaceAll(".", "\\.")} [^;]*;?$`);
      assert.throws(() => toLibrdkafka(properties, "producer"), { code: "config-invalid", message });
      assert.throws(() => toKafkaJs(properties), { code: "config-invalid", message });
    });
  }

  it("shows no secret when it refuses", () => {
    const hidden = { ...scram, "sasl.jaas.config": 'X required username="u" pasword="hunter2";' };
    assert.throws(
      () => toKafkaJs(hidden),
      (error: Error) => !/hunter2/.test(error.message),
    );
  });

  for (const [jaas, options] of [
    ['X required username="a b" password="c;d";', { username: "a b", password: "c;d" }],
    ["X required\n  username='a'\n  password=b;", { username: "a", password: "b" }],
    ['X required username="one" password="two"; Y optional username="three";', { username: "one", password: "two" }],
    ["", {}],
  ] as const) {
    it(`finds the options of ${JSON.stringify(jaas)}`, () => {
      assert.deepEqual(Object.fromEntries(parseJaasOptions(jaas)), options);
    });
  }
});
