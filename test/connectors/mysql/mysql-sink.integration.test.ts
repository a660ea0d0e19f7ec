import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { mysqlQuerySource, mysqlSink } from "@headrace/mysql";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  createStruct,
  DATE_SCHEMA,
  decimalSchema,
  FLOAT64_SCHEMA,
  fromDecimalText,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  OPTIONAL_STRING_SCHEMA,
  RetriableError,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import {
  createMemoryOffsets,
  openSinkRun,
  openSourceRun,
  openWorkerRun,
  sinkAcceptance,
  sinkRecord,
  until,
} from "@headrace/sdk/testing";
import { createCertificates } from "#dev/kafka/certificates.ts";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { keepAliveSeconds } from "../keep-alive.ts";
import { WORKER_COMMAND } from "../worker-command.ts";
import { type Database, type MariadbServer, startMariadb } from "./mariadb-server.ts";

const ITEM = structSchema({ id: INT32_SCHEMA, note: OPTIONAL_STRING_SCHEMA });
const key = (id: number) => createStruct(structSchema({ id: INT32_SCHEMA }), { id });
const item = (id: number, note: string | null = null) => createStruct(ITEM, { id, note });

describe("the sink of MySQL and MariaDB", () => {
  let server: MariadbServer;
  before(async () => {
    server = await startMariadb();
  });
  after(() => server.stop());

  const MODES = {
    insert: { "insert.mode": "insert" },
    upsert: { "insert.mode": "upsert", "pk.mode": "record_key" },
    "exactly once": { "insert.mode": "insert", "exactly.once.enabled": "true" },
  } as const;
  for (const [mode, config] of Object.entries(MODES)) {
    describe(`by ${mode}, acceptance`, { concurrency: 4 }, () => {
      const cases = sinkAcceptance({
        definition: mysqlSink,
        repeats: mode === "insert" ? "duplicates" : "absorbs",
        poisoned: "fails",
        misconfigurations: [
          { change: { "connection.url": undefined }, key: "connection.url", message: /./ },
          { change: { "connection.url": "postgresql://h/d" }, key: "connection.url", message: /must start with mysql/ },
          {
            change: { "connection.url": "jdbc:mysql://h/d?sslMode=SOME" },
            key: "connection.url",
            message: /sslMode=SOME is none of/,
          },
          {
            change: { "connection.url": "jdbc:mysql://127.0.0.1/d?sslMode=VERIFY_IDENTITY" },
            key: "connection.url",
            message: /its name is needed/,
          },
          {
            change: { "connection.url": "mysql://127.0.0.1:1/x" },
            key: "connection.url",
            message: /cannot connect.*ECONNREFUSED/,
          },
          { change: { "insert.mode": "upsert", "pk.mode": "none" }, key: "pk.mode", message: /needs a key/ },
          {
            change: { "delete.enabled": "true", "pk.mode": "none" },
            key: "pk.mode",
            message: /needs pk.mode=record_key/,
          },
          { change: { "batch.size": "0" }, key: "batch.size", message: /at least 1/ },
        ],
        async openSystem() {
          const database = await server.createDatabase();
          const unique = mode === "upsert" ? ", UNIQUE (id)" : "";
          await database.run(
            `CREATE TABLE items (place int AUTO_INCREMENT PRIMARY KEY, id int, note text CHECK (note <> 'bad')${unique})`,
          );
          return {
            config: { "connection.url": database.url, "table.name.format": "items", ...config },
            outage: database.outage,
            stall: {
              begin: () => database.run("LOCK TABLES items WRITE"),
              end: () => database.run("UNLOCK TABLES"),
            },
            item: (n) => ({ key: key(n), value: item(n) }),
            poison: () => ({ key: key(-1), value: item(-1, "bad") }),
            async contents() {
              return (await database.rows("SELECT id FROM items ORDER BY place")).map(({ id }) => Number(id));
            },
            close: () => database.close(),
          };
        },
      });
      for (const each of cases) it(each.name, each.run);
    });
  }

  describe("sink", () => {
    let database: Database;
    before(async () => {
      database = await server.createDatabase();
    });
    after(() => database.close());

    async function open(config: Record<string, string>) {
      return await openSinkRun(mysqlSink, {
        config: { "connection.url": `jdbc:${database.url}`, ...config },
        errantRecords: true,
      });
    }

    it("creates tables from schemas, and takes every type", async () => {
      const types: Readonly<Record<string, readonly [Schema, Value, unknown]>> = {
        big: [INT64_SCHEMA, 2n ** 62n, "4611686018427387904"],
        exact: [decimalSchema(3), fromDecimalText("-12345678901234567890.125", 3), "-12345678901234567890.125"],
        tiny: [decimalSchema(20), fromDecimalText("0.00000000000000000012", 20), "0.00000000000000000012"],
        ratio: [FLOAT64_SCHEMA, 0.1, 0.1],
        flag: [BOOLEAN_SCHEMA, true, 1],
        text: [STRING_SCHEMA, "a\tb\\c\n'é\"\0😀%_", "a\tb\\c\n'é\"\0😀%_"],
        raw: [BYTES_SCHEMA, Buffer.from([0, 255, 39]), Buffer.from([0, 255, 39])],
        day: [DATE_SCHEMA, 19_000, "2022-01-08"],
        clock: [TIME_SCHEMA, 3_661_007, "01:01:01.007"],
        moment: [TIMESTAMP_SCHEMA, 1_700_000_000_123n, "2023-11-14 22:13:20.123"],
        tags: [arraySchema(STRING_SCHEMA), ['x,"y', "z"], '["x,\\"y","z"]'],
        inner: [
          mapSchema(STRING_SCHEMA, INT64_SCHEMA),
          new Map<Value, Value>([["k", 2n ** 60n]]),
          '{"k":1152921504606846976}',
        ],
      };
      const schema = structSchema(Object.fromEntries(Object.entries(types).map(([name, [each]]) => [name, each])));
      const value = createStruct(
        schema,
        Object.fromEntries(Object.entries(types).map(([name, [, each]]) => [name, each])),
      );
      const sink = await open({ "auto.create": "true", "table.name.format": "types", "pk.mode": "kafka" });
      await sink.put(Array.from({ length: 60 }, (_, index) => sinkRecord({ offset: BigInt(index), value })));
      assert.deepEqual(sink.errants, []);
      await sink.close();
      const rows = await database.rows(
        `SELECT ${Object.keys(types)
          .map((name) => `\`${name}\``)
          .join(", ")} FROM types ORDER BY __connect_offset`,
      );
      assert.equal(rows.length, 60);
      const read = Object.entries(rows[0] ?? {}).map(([name, each]) => [
        name,
        name === "tags" || name === "inner" ? String(typeof each === "string" ? each : JSON.stringify(each)) : each,
      ]);
      assert.deepEqual(
        Object.fromEntries(read),
        Object.fromEntries(Object.entries(types).map(([name, [, , text]]) => [name, text])),
      );
    });

    it("upserts, deletes by tombstones and keeps the order of changes of a row", async () => {
      const sink = await open({
        "auto.create": "true",
        "table.name.format": `${database.name}.$\{topic}`,
        "insert.mode": "upsert",
        "pk.mode": "record_key",
        "delete.enabled": "true",
      });
      const nothing = { schema: null, value: null };
      const changes = [
        [1, "a"],
        [2, "b"],
        [1, "c"],
        [2, null],
        [3, "d"],
        [3, null],
        [3, "e"],
      ] as const;
      await sink.put(
        changes.map(([id, note], index) =>
          sinkRecord({ offset: BigInt(index), key: key(id), value: note === null ? nothing : item(id, note) }),
        ),
      );
      assert.deepEqual(plain(await database.rows("SELECT * FROM topic ORDER BY id")), [
        { id: 1, note: "c" },
        { id: 3, note: "e" },
      ]);
      await sink.close();
    });

    it("passes over tombstones while there is no table that could have their rows", async () => {
      const sink = await open({
        "auto.create": "true",
        "table.name.format": "unborn",
        "insert.mode": "upsert",
        "pk.mode": "record_key",
        "delete.enabled": "true",
      });
      const nothing = { schema: null, value: null };
      await sink.put([sinkRecord({ offset: 0n, key: key(1), value: nothing })]);
      await sink.put([
        sinkRecord({ offset: 1n, key: key(1), value: nothing }),
        sinkRecord({ offset: 2n, key: key(2), value: item(2, "b") }),
        sinkRecord({ offset: 3n, key: key(3), value: item(3, "c") }),
        sinkRecord({ offset: 4n, key: key(2), value: nothing }),
      ]);
      await sink.close();
      assert.deepEqual(sink.errants, []);
      assert.deepEqual(plain(await database.rows("SELECT * FROM unborn")), [{ id: 3, note: "c" }]);
    });

    it("keeps keys apart that differ in capitals only, and deletes by keys of several columns", async () => {
      const schema = structSchema({ part: INT32_SCHEMA, name: STRING_SCHEMA });
      const keyOf = (name: string) => createStruct(schema, { part: 1, name });
      const sink = await open({
        "auto.create": "true",
        "table.name.format": "named",
        "insert.mode": "upsert",
        "pk.mode": "record_key",
        "delete.enabled": "true",
      });
      await sink.put(
        ["a", "A", "b", "B"].map((name, id) =>
          sinkRecord({ offset: BigInt(id), key: keyOf(name), value: item(id, name) }),
        ),
      );
      const nothing = { schema: null, value: null };
      await sink.put(
        ["A", "b"].map((name, id) => sinkRecord({ offset: BigInt(4 + id), key: keyOf(name), value: nothing })),
      );
      await sink.close();
      assert.deepEqual(plain(await database.rows("SELECT name, id FROM named ORDER BY id")), [
        { name: "a", id: 0 },
        { name: "B", id: 3 },
      ]);
    });

    it("adds columns where it may, within a batch as well, and refuses records where it may not", async () => {
      await database.run("CREATE TABLE evolving (ID int)");
      const strict = await open({ "table.name.format": "evolving" });
      await strict.put([sinkRecord({ offset: 0n, value: item(1, "x") })]);
      assert.match(String(strict.errants[0]?.error), /no column note, and auto.evolve is false/);
      await strict.close();
      const sink = await open({ "table.name.format": "evolving", "auto.evolve": "true" });
      const more = structSchema({ id: INT32_SCHEMA, note: OPTIONAL_STRING_SCHEMA, size: INT64_SCHEMA });
      await sink.put([
        sinkRecord({ offset: 0n, value: item(1, "x") }),
        sinkRecord({ offset: 1n, value: createStruct(more, { id: 2, note: null, size: 7n }) }),
      ]);
      assert.deepEqual(sink.errants, []);
      assert.deepEqual(plain(await database.rows("SELECT * FROM evolving ORDER BY ID")), [
        { ID: 1, note: "x", size: null },
        { ID: 2, note: null, size: "7" },
      ]);
      await sink.close();
    });

    it("changes a table before the transaction, so that a batch that fails then leaves no row", async () => {
      await database.run("CREATE TABLE halves (id int, note varchar(3))");
      const sink = await openSinkRun(mysqlSink, {
        config: {
          "connection.url": database.url,
          "table.name.format": "halves",
          "auto.evolve": "true",
          "exactly.once.enabled": "true",
          "offsets.table": "halves_offsets",
        },
      });
      const more = structSchema({ id: INT32_SCHEMA, note: STRING_SCHEMA, size: INT64_SCHEMA });
      const records = [
        sinkRecord({ offset: 0n, value: item(1, "ok") }),
        sinkRecord({ offset: 1n, value: createStruct(more, { id: 2, note: "too long", size: 7n }) }),
      ];
      await assert.rejects(sink.put(records), /Data too long for column 'note'/);
      assert.deepEqual(await database.rows("SELECT id FROM halves"), []);
      assert.deepEqual(await database.rows("SELECT next_offset FROM halves_offsets WHERE next_offset > 0"), []);
      await sink.close();
    });

    it("updates rows that are there, exactly by keys of any size, and takes schemaless records", async () => {
      await database.run(`CREATE TABLE stock (id bigint unsigned PRIMARY KEY, amount decimal(10, 2), more json);
        INSERT INTO stock VALUES (18446744073709551615, 1, null), (18446744073709551614, 1, null)`);
      const sink = await open({
        "table.name.format": "stock",
        "insert.mode": "update",
        "pk.mode": "record_value",
        "pk.fields": "id",
      });
      const json = (value: Value) => ({ schema: null, value });
      await sink.put(
        [2n ** 64n - 1n, 2n].map((id, offset) =>
          sinkRecord({ offset: BigInt(offset), value: json({ id, amount: 2.5, more: { a: [1] } }) }),
        ),
      );
      await sink.close();
      assert.deepEqual(
        plain(await database.rows("SELECT id, amount, JSON_EXTRACT(more, '$.a') AS a FROM stock ORDER BY id DESC")),
        [
          { id: "18446744073709551615", amount: "2.50", a: "[1]" },
          { id: "18446744073709551614", amount: "1.00", a: null },
        ],
      );
    });

    it("keeps names and values that are no SQL, whatever is in them, and zeros in columns that count", async () => {
      const odd = "we`ird'; drop";
      await database.run("CREATE TABLE `od``d` (id int AUTO_INCREMENT PRIMARY KEY, `we``ird'; drop` text)");
      const sink = await open({ "table.name.format": "od`d" });
      await sink.put([
        sinkRecord({ offset: 0n, value: { schema: null, value: { id: 0, [odd]: "\\'; DROP TABLE x; --" } } }),
      ]);
      assert.deepEqual(plain(await database.rows("SELECT * FROM `od``d`")), [
        { id: 0, [odd]: "\\'; DROP TABLE x; --" },
      ]);
      await sink.close();
    });

    it("refuses a row that is longer than a statement may be, and numbers that the server has not", async () => {
      await database.run("CREATE TABLE large (id double, note longtext)");
      const sink = await open({ "table.name.format": "large" });
      const json = (value: Value) => ({ schema: null, value });
      const values = [{ id: 1 }, { id: 2, note: "x".repeat(17 * 2 ** 20) }, { id: Number.NaN }, { id: 4 }];
      await sink.put(values.map((value, index) => sinkRecord({ offset: BigInt(index), value: json(value) })));
      assert.deepEqual(
        sink.errants.map(({ record, error }) => [record.offset, String(error).replace(/\d{8}/g, "N")]),
        [
          [1n, "DataError: a row needs N bytes of SQL, and max_allowed_packet is N"],
          [2n, "DataError: NaN has no counterpart in MySQL"],
        ],
      );
      assert.deepEqual(plain(await database.rows("SELECT id FROM large ORDER BY id")), [{ id: 1 }, { id: 4 }]);
      await sink.close();
    });

    it("takes a row as long as the server takes, and no longer one", async () => {
      await database.run("CREATE TABLE packets (note longtext)");
      const sink = await open({ "table.name.format": "packets" });
      const fixed = "INSERT INTO `packets` (`note`) VALUES ('')".length;
      const longest = 2 ** 24 - fixed;
      // A packet that is as long as max_allowed_packet costs the connection, each time that it is tried.
      const lengths = [longest, longest - 1, longest - 2, longest - 60, longest - 70];
      const values = lengths.map((length) => ({ schema: null, value: { note: "x".repeat(length) } }));
      for (const [index, value] of values.entries()) await sink.put([sinkRecord({ offset: BigInt(index), value })]);
      await sink.close();
      assert.deepEqual(
        sink.errants.map(({ record }) => record.offset),
        [0n, 1n, 2n, 3n],
      );
      assert.deepEqual(plain(await database.rows("SELECT LENGTH(note) AS bytes FROM packets")), [
        { bytes: longest - 70 },
      ]);
    });

    it("hands over a record for which there is no partition", async () => {
      await database.run("CREATE TABLE parts (id int) PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (10))");
      const sink = await open({ "table.name.format": "parts" });
      await sink.put(
        [1, 10, 2].map((id, offset) => sinkRecord({ offset: BigInt(offset), value: { schema: null, value: { id } } })),
      );
      await sink.close();
      assert.match(String(sink.errants[0]?.error), /no partition for value 10/);
      assert.deepEqual(plain(await database.rows("SELECT id FROM parts ORDER BY id")), [{ id: 1 }, { id: 2 }]);
    });

    it("keeps locks for no longer than some minutes after its machine has vanished, and notices a vanished server", async () => {
      await database.run(`CREATE TABLE quiet (id int, silence int);
        CREATE TRIGGER silence BEFORE INSERT ON quiet FOR EACH ROW SET NEW.silence = @@session.wait_timeout`);
      const sink = await open({ "table.name.format": "quiet" });
      await sink.put([sinkRecord({ offset: 0n, value: { schema: null, value: { id: 1 } } })]);
      const port = Number(new URL(database.url).port);
      await until(60_000, "the kernel asks some time", () => keepAliveSeconds(port) <= 60);
      await sink.close();
      assert.deepEqual(plain(await database.rows("SELECT silence FROM quiet")), [{ silence: 600 }]);
    });

    it("writes no table without transactions where each record has to count once", async () => {
      await database.run("CREATE TABLE old (id int) ENGINE = MyISAM");
      const sink = await open({ "table.name.format": "old", "exactly.once.enabled": "true" });
      await assert.rejects(
        sink.put([sinkRecord({ offset: 0n, value: { schema: null, value: { id: 1 } } })]),
        /has the engine MyISAM/,
      );
      await sink.close();
    });
  });

  describe("sink over TLS", () => {
    it("encrypts, and looks at the certificate as it is told to", async () => {
      const dir = await mkdtemp(join(tmpdir(), "headrace-mariadb-tls-"));
      const { ca, otherCa, broker } = await createCertificates(dir);
      await chmod(broker, 0o644);
      await chmod(dir, 0o755);
      const secured = await startMariadb([`--ssl-cert=${broker}`, `--ssl-key=${broker}`, `--ssl-ca=${ca}`]);
      const { name, close } = await secured.createDatabase();
      const urlOf = (host: string, parameters: string) =>
        `mysql://headrace@${host}:${secured.port}/${name}?${parameters}`;
      try {
        const problems = async (host: string, parameters: string) => {
          const parsed = mysqlSink.config.parse({ "connection.url": urlOf(host, parameters) });
          return (await mysqlSink.validate?.(parsed, AbortSignal.timeout(60_000)))?.["connection.url"]?.[0] ?? null;
        };
        assert.equal(await problems("127.0.0.1", `sslMode=VERIFY_CA&sslCa=${ca}`), null);
        assert.equal(await problems("localhost", `sslMode=verify-full&serverSslCert=${ca}`), null);
        assert.equal(await problems("127.0.0.1", "sslMode=REQUIRED"), null);
        assert.equal(await problems("127.0.0.1", "sslMode=preferred"), null);
        assert.match(String(await problems("127.0.0.1", `sslMode=verify-ca&sslCa=${otherCa}`)), /certificate/);
        assert.match(String(await problems("localhost", "sslMode=VERIFY_IDENTITY")), /certificate/);
        assert.match(String(await problems("127.0.0.1", "sslMode=VERIFY_CA&sslCa=/no/such")), /no such file/);
        const cutting = await openCuttingProxy(secured.port);
        const cut = await openSinkRun(mysqlSink, {
          config: {
            "connection.url": `mysql://headrace@127.0.0.1:${cutting.port}/${name}?sslMode=REQUIRED`,
            "auto.create": "true",
          },
        });
        await assert.rejects(cut.put([sinkRecord({ offset: 0n, value: item(1, "x") })]), RetriableError);
        await cut.close();
        await cutting.close();
        const sink = await openSinkRun(mysqlSink, {
          config: {
            "connection.url": urlOf("127.0.0.1", `sslMode=VERIFY_CA&sslCa=${ca}`),
            "auto.create": "true",
            "table.name.format": "ciphers",
          },
        });
        await sink.put([sinkRecord({ offset: 0n, value: item(1, "x") })]);
        await sink.close();
      } finally {
        await close();
        await secured.stop();
        await rm(dir, { recursive: true, force: true });
      }
      // A server without TLS.
      const database = await server.createDatabase();
      const config = (mode: string) => mysqlSink.config.parse({ "connection.url": `${database.url}?sslMode=${mode}` });
      const problems = (mode: string) => mysqlSink.validate?.(config(mode), AbortSignal.timeout(60_000));
      assert.deepEqual(await problems("PREFERRED"), {});
      assert.match(String((await problems("REQUIRED"))?.["connection.url"]), /does not support secure connection/);
      await database.close();
    });
  });

  it("writes text as it is, whatever the server takes its clients to speak", async () => {
    // In GBK the last byte of ¿ and a backslash behind it are one character, so that the apostrophe ends the text.
    const server = await startMariadb(["--skip-character-set-client-handshake", "--character-set-server=gbk"]);
    try {
      const database = await server.createDatabase();
      await database.run("CREATE TABLE words (id int, note text CHARACTER SET utf8mb4)");
      const text = "é😀 ¿', ¿'), (3, 'x'); --";
      const sink = await openSinkRun(mysqlSink, {
        config: { "connection.url": database.url, "table.name.format": "words" },
      });
      await sink.put([sinkRecord({ offset: 0n, value: item(1, text) })]);
      await sink.close();
      assert.deepEqual(plain(await database.rows("SELECT id, HEX(note) AS hex FROM words")), [
        { id: 1, hex: Buffer.from(text).toString("hex").toUpperCase() },
      ]);
      const source = await openSourceRun(mysqlQuerySource, {
        config: { "connection.url": database.url, "topic.prefix": "t", mode: "bulk", "table.whitelist": "words" },
        offsets: createMemoryOffsets(),
        maxTasks: 1,
      });
      const [record] = await source.take(1);
      await source.close();
      assert.deepEqual({ ...(record?.value.value as Readonly<Record<string, Value>>) }, { id: 1, note: text });
      await database.close();
    } finally {
      await server.stop();
    }
  });

  it("moves records from Kafka in a worker, each once, though the worker is killed", { timeout: 560_000 }, async () => {
    const kafka = await sharedKafka();
    const database = await server.createDatabase();
    await database.run("CREATE TABLE `lines` (id int, note text)");
    const pluginPath = await buildConnectors(["mysql"]);
    const worker = await openWorkerRun({ bootstrap: kafka.bootstrap, pluginPath, command: WORKER_COMMAND });
    try {
      const topic = uniqueName("mysql");
      const lines = (from: number) =>
        Array.from({ length: 100 }, (_, index) => JSON.stringify({ id: from + index, note: "n" }));
      const count = async () => {
        const [row] = await database.rows("SELECT count(*) AS `all`, count(DISTINCT id) AS `each` FROM `lines`");
        return { all: Number(row?.["all"]), each: Number(row?.["each"]) };
      };
      await worker.write(topic, lines(0));
      await worker.start(uniqueName("rows"), {
        "connector.class": "mariadb-sink",
        "connection.url": database.url,
        "table.name.format": "lines",
        "exactly.once.enabled": "true",
        topics: topic,
        "offset.flush.interval.ms": "60000",
      });
      await until(120_000, "100 rows", async () => (await count()).each === 100);
      await worker.killAndRestart();
      await worker.write(topic, lines(100));
      await until(120_000, "200 rows", async () => (await count()).each === 200);
      assert.deepEqual(await count(), { all: 200, each: 200 });
    } finally {
      await worker.close();
      await database.close();
      await kafka.stop();
    }
  });
});

/** A way to a server that is cut when the client first says something. */
async function openCuttingProxy(target: number) {
  const proxy = createServer((from) => {
    const to = createConnection(target, "127.0.0.1");
    from.on("error", () => {});
    to.on("error", () => {});
    to.pipe(from);
    from.once("data", () => {
      to.destroy();
      from.destroy();
    });
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  return {
    port,
    async close() {
      proxy.close();
      await once(proxy, "close");
    },
  };
}

/** Rows as plain objects. */
function plain(rows: readonly Readonly<Record<string, unknown>>[]): readonly Readonly<Record<string, unknown>>[] {
  return rows.map((row) => ({ ...row }));
}
