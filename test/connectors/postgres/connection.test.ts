import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RetriableError } from "@headrace/sdk";
import { toRetriable, urlProblem } from "../../../connectors/postgres/src/connection.ts";
import { sqlState } from "../../../connectors/postgres/src/sql-state.ts";
import { takeTls } from "../../../connectors/postgres/src/tls.ts";

describe("errors of PostgreSQL", () => {
  const error = (code: string) => Object.assign(new Error("it failed"), { code });

  it("are retried where they may pass, a broken pipe among them", () => {
    for (const code of ["EPIPE", "ECONNRESET", "08006", "57P01", "40P01", "55006"])
      assert.ok(toRetriable(error(code)) instanceof RetriableError, code);
    for (const code of ["42P01", "23505", "P0001", "28P01"])
      assert.equal(toRetriable(error(code)) instanceof RetriableError, false, code);
  });

  it("have a state only where the server gave one", () => {
    assert.deepEqual(
      ["EPIPE", "P0001", "22P02"].map((code) => sqlState(error(code))),
      [null, "P0001", "22P02"],
    );
  });
});

describe("the URL of a connection", () => {
  const cases: readonly (readonly [string, RegExp | null])[] = [
    ["postgresql://h/d", null],
    ["jdbc:postgresql://h:5432/d?sslmode=VERIFY-FULL&ssl=true", null],
    ["postgresql://h/d?sslmode=some", /sslmode=some is none of disable, allow, prefer/],
    ["postgresql://h/d?sslmode=verify-ca", /needs sslrootcert/],
    ["postgresql://h/d?sslmode=require&sslcert=c", /sslcert and sslkey/],
    ["postgresql://h/d?ssl=no-verify", /ssl=no-verify is neither true nor false/],
    ["postgresql://h:port/d", /no URL/],
    ["mysql://h/d", /must start with postgresql/],
  ];
  for (const [url, problem] of cases) {
    it(`${url} is ${problem === null ? "well" : "refused"}`, () => {
      if (problem === null) assert.equal(urlProblem(url), null);
      else assert.match(urlProblem(url) ?? "", problem);
    });
  }

  for (const [parameters, mode] of [
    ["", "prefer"],
    ["ssl", "verify-full"],
    ["ssl=True", "verify-full"],
    ["ssl=1", "verify-full"],
    ["ssl=FALSE", "disable"],
    ["ssl=true&sslmode=require", "require"],
    ["ssl=&sslmode=disable", "disable"],
    ["sslmode=&sslrootcert=&sslcert=&sslkey=", "prefer"],
    ["sslrootcert=ca.pem", "verify-full"],
  ] as const) {
    it(`with ${parameters || "no parameters"} is ${mode}, and nothing else is told of TLS`, () => {
      const url = new URL(`postgresql://h/d?${parameters}`);
      assert.equal(takeTls(url).mode, mode);
      assert.equal(url.href.replace(/\?$/, ""), "postgresql://h/d");
    });
  }
});
