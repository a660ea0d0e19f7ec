import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RetriableError, type SinkRecord } from "@headrace/sdk";
import { sinkRecord } from "@headrace/sdk/testing";
import type { Change } from "@headrace/sql";
import { toAddress, urlProblem } from "../../../connectors/mysql/src/address.ts";
import { isOfRecord, toRetriable } from "../../../connectors/mysql/src/errors.ts";
import { statementsOf } from "../../../connectors/mysql/src/sink/statements.ts";

describe("errors of MySQL", () => {
  const ofServer = (errno: number, sqlState: string) => Object.assign(new Error("it failed"), { errno, sqlState });
  const ofDriver = (code: string, message: string) => Object.assign(new Error(message), { code });
  const isRetried = (error: Error) => toRetriable(error) instanceof RetriableError;

  it("are retried where they may pass", () => {
    const passing = [
      [1213, "40001"],
      [1205, "HY000"],
      [1180, "HY000"],
      [1461, "42000"],
      [1615, "HY000"],
      [3032, "HY000"],
      [1040, "08004"],
    ] as const;
    for (const [errno, state] of passing) assert.ok(isRetried(ofServer(errno, state)), String(errno));
    for (const errno of [1045, 1146, 1526]) assert.equal(isRetried(ofServer(errno, "HY000")), false, String(errno));
  });

  it("are retried of a TLS handshake that was cut, and not of one with a bad certificate", () => {
    const code = "HANDSHAKE_SSL_ERROR";
    for (const message of [
      "Client network socket disconnected before secure TLS connection was established",
      "read ECONNRESET",
    ])
      assert.ok(isRetried(ofDriver(code, message)), message);
    for (const message of ["self-signed certificate in certificate chain", "unable to verify the first certificate"])
      assert.equal(isRetried(ofDriver(code, message)), false, message);
  });

  it("are a record's where another one might have been taken", () => {
    for (const [errno, state] of [
      [1062, "23000"],
      [1526, "HY000"],
      [4025, "23000"],
      [1644, "45000"],
    ] as const)
      assert.ok(isOfRecord(ofServer(errno, state)), String(errno));
    for (const errno of [1205, 1146, 1064]) assert.equal(isOfRecord(ofServer(errno, "HY000")), false, String(errno));
  });
});

describe("a URL of MySQL", () => {
  it("is refused without its password being told", () => {
    const problem = urlProblem("mysql://root:100%secret@db:3306/shop");
    assert.match(String(problem), /the password is badly escaped/);
    assert.doesNotMatch(String(problem), /100|secret/);
  });

  it("never means less of TLS than it says", () => {
    const tlsOf = (parameters: string) => toAddress({ "connection.url": `mysql://db/shop?${parameters}` }).tls;
    assert.deepEqual(
      ["", "useSSL=true", "useSSL=TRUE&verifyServerCertificate=true", "sslMode=VERIFY_CA&sslCa=/ca"].map(tlsOf),
      ["disabled", "required", "verify-ca", "verify-ca"],
    );
    assert.match(String(urlProblem("mysql://db/shop?sslCa=/ca")), /no sslMode that uses them/);
    assert.equal(urlProblem("mysql://db/shop?sslMode=DISABLED&sslCa=/ca"), null);
  });
});

describe("statements of MySQL", () => {
  const record: SinkRecord = sinkRecord({ offset: 0n, value: { schema: null, value: null } });
  const changeOf = (kind: Change["kind"], value: string): Change => ({
    record,
    kind,
    table: "t",
    key: ["note"],
    columns: [{ name: "note", value, schema: null }],
  });

  it("are shorter, with what is before them in their packet, than the longest packet", () => {
    const maxBytes = 4_096;
    for (const kind of ["write", "delete"] as const) {
      for (let length = 1; length < 3_900; length += 1) {
        const value = "x".repeat(length);
        const written = statementsOf([changeOf(kind, value), changeOf(kind, `${value}y`)], {
          mode: "insert",
          maxBytes,
        });
        for (const statement of written) assert.ok(statement.length < maxBytes - 32, `${kind} ${statement.length}`);
      }
      assert.throws(
        () => statementsOf([changeOf(kind, "x".repeat(4_050))], { mode: "insert", maxBytes }),
        /a row needs/,
      );
    }
  });
});
