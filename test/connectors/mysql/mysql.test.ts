import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  BYTES_SCHEMA,
  decimalSchema,
  fromDecimalText,
  INT32_SCHEMA,
  RetriableError,
  type Schema,
  STRING_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { sinkRecord } from "@headrace/sdk/testing";
import { type Change, statementOf, UTC } from "@headrace/sql";
import { toAddress, urlProblem } from "../../../connectors/mysql/src/address.ts";
import { isOfRecord, toRetriable } from "../../../connectors/mysql/src/errors.ts";
import { columnOf } from "../../../connectors/mysql/src/query/column.ts";
import { isZeroDate, parseMoment, parseTimeOfDay } from "../../../connectors/mysql/src/query/moment.ts";
import { literalOf } from "../../../connectors/mysql/src/sink/literal.ts";
import { statementsOf } from "../../../connectors/mysql/src/sink/statements.ts";

describe("the address of a MySQL server", () => {
  it("is read from URLs as the connectors for Java have them", () => {
    const address = toAddress({
      "connection.url":
        "jdbc:mariadb://u%40x:p%2Fw@[::1]:3307/shop?sslMode=verify-ca&serverSslCert=/ca.pem&autoReconnect=1",
    });
    assert.deepEqual(address, {
      host: "::1",
      port: 3307,
      user: "u@x",
      password: "p/w",
      database: "shop",
      tls: "verify-ca",
      tlsFiles: { ca: "/ca.pem", cert: null, key: null },
    });
    const other = toAddress({
      "connection.url": "mysql://db?user=me&password=secret&useSSL=true",
      "connection.user": "you",
    });
    assert.deepEqual(
      [other.user, other.password, other.port, other.database, other.tls],
      ["you", "secret", 3306, null, "required"],
    );
  });

  it("has problems that are told without its password", () => {
    for (const [url, problem] of [
      ["http://db", /must start with mysql/],
      ["mysql://db/%E0%A4%A", /badly escaped/],
      ["mysql://u:secret@db?sslMode=maybe", /sslMode=maybe is none of/],
      ["mysql://u:secret@10.0.0.1/d?sslMode=VERIFY_IDENTITY", /its name is needed/],
    ] as const) {
      assert.match(String(urlProblem(url)), problem);
      assert.doesNotMatch(String(urlProblem(url)), /secret/);
    }
    assert.equal(urlProblem("mysql://db:3306/shop?sslMode=REQUIRED"), null);
  });
});

describe("errors of MySQL", () => {
  const server = (errno: number, sqlState: string) =>
    Object.assign(new Error("it failed"), { errno, sqlState, code: "ER" });

  it("are retried where they may pass", () => {
    const passing = [
      server(1213, "40001"),
      server(1205, "HY000"),
      server(1040, "08004"),
      server(1053, "08S01"),
      server(1290, "HY000"),
      Object.assign(new Error("gone"), { code: "PROTOCOL_CONNECTION_LOST", fatal: true }),
      Object.assign(new Error("refused"), { code: "ECONNREFUSED", errno: -111 }),
    ];
    for (const error of passing) assert.ok(toRetriable(error) instanceof RetriableError, error.message);
    for (const error of [server(1045, "28000"), server(1062, "23000"), server(1146, "42S02"), new Error("a bug")])
      assert.equal(toRetriable(error), error);
  });

  it("are of a record where another might have been taken", () => {
    for (const error of [
      server(1062, "23000"),
      server(1406, "22001"),
      server(4025, "23000"),
      server(1644, "45000"),
      server(1366, "HY000"),
    ])
      assert.ok(isOfRecord(error), String(error.errno));
    for (const error of [server(1146, "42S02"), server(1205, "HY000"), server(1044, "42000"), new Error("a bug")])
      assert.equal(isOfRecord(error), false);
  });
});

describe("literals of MySQL", () => {
  it("are exact, and text stays text", () => {
    const cases: readonly (readonly [Value, Schema | null, string])[] = [
      [null, null, "NULL"],
      [true, null, "1"],
      [2n ** 64n, null, "18446744073709551616"],
      [1e-7, null, "1e-7"],
      ["a'b\\c\0", STRING_SCHEMA, "'a\\'b\\\\c\\0'"],
      [Buffer.from([0, 255]), BYTES_SCHEMA, "x'00ff'"],
      [fromDecimalText("0.00000001", 8), decimalSchema(8), "0.00000001"],
      [fromDecimalText("-120", -1), decimalSchema(-1), "-120"],
      [1_700_000_000_123n, TIMESTAMP_SCHEMA, "'2023-11-14 22:13:20.123'"],
      [{ a: ["é"] }, null, `'{"a":["é"]}'`],
    ];
    for (const [value, schema, text] of cases) assert.equal(literalOf(value, schema), text);
  });

  it("are none for what MySQL has not", () => {
    assert.throws(() => literalOf(Number.POSITIVE_INFINITY, null), /Infinity has no counterpart/);
    assert.throws(() => literalOf(fromDecimalText("9".repeat(66), 0), decimalSchema(0)), /more than 65 digits/);
  });
});

describe("statements of a MySQL sink", () => {
  const change = (kind: Change["kind"], values: Readonly<Record<string, Value>>, key: readonly string[]): Change => ({
    record: sinkRecord({ offset: 0n, value: { schema: null, value: null } }),
    kind,
    table: "d.t`x",
    key,
    columns: Object.entries(values).map(([name, value]) => ({ name, value, schema: null })),
  });
  const rows = (...values: readonly Readonly<Record<string, Value>>[]) => {
    const [first, ...rest] = values.map((each) => change("write", each, ["id"]));
    assert.ok(first !== undefined);
    const all: [Change, ...Change[]] = [first, ...rest];
    return all;
  };

  it("write many rows at once, the last of each key", () => {
    const changes = rows({ id: 1, n: 1 }, { id: 2, n: 2 }, { id: 1, n: 3 });
    assert.deepEqual(statementsOf(changes, { mode: "insert", maxBytes: 1e6 }), [
      "INSERT INTO `d`.`t``x` (`id`, `n`) VALUES (1,1),(2,2),(1,3)",
    ]);
    assert.deepEqual(statementsOf(changes, { mode: "upsert", maxBytes: 1e6 }), [
      "INSERT INTO `d`.`t``x` (`id`, `n`) VALUES (2,2),(1,3) ON DUPLICATE KEY UPDATE `n` = VALUES(`n`)",
    ]);
    assert.deepEqual(statementsOf(changes, { mode: "update", maxBytes: 1e6 }), [
      "UPDATE `d`.`t``x` SET `n` = 2 WHERE `id` = 2;UPDATE `d`.`t``x` SET `n` = 3 WHERE `id` = 1",
    ]);
  });

  it("delete by one column or several", () => {
    const of = (id: number) => change("delete", { id }, ["id"]);
    const one: [Change, ...Change[]] = [of(1), of(2), of(1)];
    assert.deepEqual(statementsOf(one, { mode: "insert", maxBytes: 1e6 }), [
      "DELETE FROM `d`.`t``x` WHERE `id` IN (2,1)",
    ]);
    const two: [Change, ...Change[]] = [
      change("delete", { a: 1, b: "x" }, ["a", "b"]),
      change("delete", { a: 2, b: "y" }, ["a", "b"]),
    ];
    assert.deepEqual(statementsOf(two, { mode: "insert", maxBytes: 1e6 }), [
      "DELETE FROM `d`.`t``x` WHERE (`a` = 1 AND `b` = 'x') OR (`a` = 2 AND `b` = 'y')",
    ]);
  });

  it("are no longer than the server takes, by bytes", () => {
    const note = "é".repeat(100);
    const changes = rows(...Array.from({ length: 50 }, (_, id) => ({ id, note })));
    const statements = statementsOf(changes, { mode: "upsert", maxBytes: 1_000 });
    assert.ok(statements.length > 1 && statements.every((each) => Buffer.byteLength(each) <= 1_000));
    assert.equal(statements.join("").match(/\(\d+,'é/g)?.length, 50);
    assert.throws(() => statementsOf(changes, { mode: "upsert", maxBytes: 200 }), /max_allowed_packet is 200/);
  });
});

describe("rows of MySQL", () => {
  const rules = {
    "bigint.unsigned.handling.mode": "long",
    "tinyint1.as.boolean": false,
    "zero.date.behavior": "exception",
    "numeric.mapping": "none",
    "timestamp.granularity": "connect_logical",
    "db.timezone": "UTC",
  } as const;
  const field = { name: "c", columnType: 3, flags: 1, columnLength: 11, decimals: 0, characterSet: 63 };

  it("require a column where the table does, and none of a query", () => {
    assert.deepEqual(columnOf(field, true, rules).schema, INT32_SCHEMA);
    assert.equal(columnOf(field, false, rules).schema.optional, true);
    assert.equal(columnOf({ ...field, flags: 0 }, true, rules).schema.optional, true);
  });

  it("have no counterpart for geometries", () => {
    assert.throws(
      () => columnOf({ ...field, columnType: 255 }, true, rules),
      /column c has a type without a counterpart/,
    );
  });

  it("have dates before and after 1970, with zeros, and times of a day only", () => {
    assert.equal(parseMoment("1969-12-31 23:59:59.999999"), -1n);
    assert.equal(parseMoment("1970-01-02"), 86_400_000_000n);
    assert.ok(["0000-00-00", "2024-00-10 00:00:00", "2024-01-00"].every(isZeroDate) && !isZeroDate("2024-10-10"));
    assert.throws(() => parseMoment("0000-00-00 00:00:00"), /is no day/);
    assert.equal(parseTimeOfDay("23:59:59.999999"), 86_399_999);
    for (const text of ["24:00:00", "-01:00:00", "838:59:59"])
      assert.throws(() => parseTimeOfDay(text), /no time of a day/);
  });

  it("are asked for by conditions on the columns as they are", () => {
    const style = {
      quote: (name: string) => `\`${name}\``,
      operand: (operand: Parameters<Parameters<typeof statementOf>[0]["operand"]>[0]) =>
        operand.kind === "integer" ? String(operand.value) : `@${operand.micros}`,
    };
    const selection = {
      mode: "timestamp+incrementing",
      from: "t",
      incrementingColumn: "id",
      timestampColumns: ["a", "b"],
      zone: UTC,
      suffix: "FOR SHARE",
    } as const;
    assert.equal(
      statementOf(style, selection, { position: { timestamp: 5n, incrementing: 7n }, end: 9n }).text,
      "SELECT * FROM t WHERE COALESCE(`a`, `b`) < @9 AND (COALESCE(`a`, `b`) > @5 OR COALESCE(`a`, `b`) = @5 AND `id` > 7)" +
        " AND `id` IS NOT NULL ORDER BY COALESCE(`a`, `b`), `id` FOR SHARE",
    );
  });
});
