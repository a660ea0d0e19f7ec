import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RetriableError } from "@headrace/sdk";
import { sqlState, toRetriable } from "../../../connectors/postgres/src/connection.ts";

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
