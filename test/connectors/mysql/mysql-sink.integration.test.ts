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
  DATE_SCHEMA,
  decimalSchema,
  FLOAT64_SCHEMA,
  fromDecimalText,
  INT64_SCHEMA,
  mapSchema,
  RetriableError,
  STRING_SCHEMA,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { createMemoryOffsets, openSinkRun, openSourceRun, sinkRecord } from "@headrace/sdk/testing";
import { createCertificates } from "#dev/kafka/certificates.ts";
import { item, json, openSink, type SinkOfDialect, sqlSinkSuite } from "../sql/sink-suite.ts";
import type { SqlDatabase, SqlServer } from "../sql/sql-server.ts";
import { startMariadb } from "./mariadb-server.ts";
import { MYSQL } from "./mysql-dialect.ts";

const SINK: SinkOfDialect = {
  ...MYSQL,
  definition: mysqlSink,
  module: import.meta.resolve("@headrace/mysql"),
  connectorClass: "mariadb-sink",
  schemaIn: ({ name }) => name,
  types: {
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
  },
  readBack: MYSQL.quote,
  json: "json",
  messages: { tooLong: /Data too long for column 'note'/, noPartition: /no partition for value 10/ },
};

describe("the sink of MySQL and MariaDB", () => {
  let server: SqlServer;
  before(async () => {
    server = await startMariadb();
  });
  after(() => server.stop());

  sqlSinkSuite(SINK, () => server);

  describe("limits", () => {
    let database: SqlDatabase;
    before(async () => {
      database = await server.createDatabase();
    });
    after(() => database.close());

    const open = (config: Readonly<Record<string, string>>) => openSink(mysqlSink, database, config);

    it("updates rows exactly, by keys of any size", async () => {
      await database.run(`CREATE TABLE keyed (id bigint unsigned PRIMARY KEY, more json);
        INSERT INTO keyed VALUES (18446744073709551615, null), (18446744073709551614, null)`);
      const sink = await open({
        "table.name.format": "keyed",
        "insert.mode": "update",
        "pk.mode": "record_value",
        "pk.fields": "id",
      });
      await sink.put(
        [2n ** 64n - 1n, 2n].map((id, offset) =>
          sinkRecord({ offset: BigInt(offset), value: json({ id, more: { a: [1] } }) }),
        ),
      );
      await sink.close();
      assert.deepEqual(await database.rows("SELECT id, JSON_EXTRACT(more, '$.a') AS a FROM keyed ORDER BY id DESC"), [
        { id: "18446744073709551615", a: "[1]" },
        { id: "18446744073709551614", a: null },
      ]);
    });

    it("refuses a row that is longer than a statement may be, and numbers that the server has not", async () => {
      await database.run("CREATE TABLE large (id double, note longtext)");
      const sink = await open({ "table.name.format": "large" });
      const values = [{ id: 1 }, { id: 2, note: "x".repeat(17 * 2 ** 20) }, { id: Number.NaN }, { id: 4 }];
      await sink.put(values.map((value, index) => sinkRecord({ offset: BigInt(index), value: json(value) })));
      assert.deepEqual(
        sink.errants.map(({ record, error }) => [record.offset, String(error).replace(/\d{8}/g, "N")]),
        [
          [1n, "DataError: a row needs N bytes of SQL, and max_allowed_packet is N"],
          [2n, "DataError: NaN has no counterpart in MySQL"],
        ],
      );
      assert.deepEqual(await database.rows("SELECT id FROM large ORDER BY id"), [{ id: 1 }, { id: 4 }]);
      await sink.close();
    });

    it("takes a row as long as the server takes, and no longer one", async () => {
      await database.run("CREATE TABLE packets (note longtext)");
      const sink = await open({ "table.name.format": "packets" });
      const fixed = "INSERT INTO `packets` (`note`) VALUES ('')".length;
      const longest = 2 ** 24 - fixed;
      // A packet that is as long as max_allowed_packet costs the connection, each time that it is tried.
      const lengths = [longest, longest - 1, longest - 2, longest - 60, longest - 70];
      const values = lengths.map((length) => json({ note: "x".repeat(length) }));
      for (const [index, value] of values.entries()) await sink.put([sinkRecord({ offset: BigInt(index), value })]);
      await sink.close();
      assert.deepEqual(
        sink.errants.map(({ record }) => record.offset),
        [0n, 1n, 2n, 3n],
      );
      assert.deepEqual(await database.rows("SELECT LENGTH(note) AS bytes FROM packets"), [{ bytes: longest - 70 }]);
    });

    it("keeps locks for no longer than some minutes after its machine has vanished", async () => {
      await database.run(`CREATE TABLE locked (id int, silence int);
        CREATE TRIGGER silence BEFORE INSERT ON locked FOR EACH ROW SET NEW.silence = @@session.wait_timeout`);
      const sink = await open({ "table.name.format": "locked" });
      await sink.put([sinkRecord({ offset: 0n, value: json({ id: 1 }) })]);
      await sink.close();
      assert.deepEqual(await database.rows("SELECT silence FROM locked"), [{ silence: 600 }]);
    });

    it("writes no table without transactions where each record has to count once", async () => {
      await database.run("CREATE TABLE old (id int) ENGINE = MyISAM");
      const sink = await open({ "table.name.format": "old", "exactly.once.enabled": "true" });
      await assert.rejects(sink.put([sinkRecord({ offset: 0n, value: json({ id: 1 }) })]), /has the engine MyISAM/);
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
      assert.deepEqual(await database.rows("SELECT id, HEX(note) AS hex FROM words"), [
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
