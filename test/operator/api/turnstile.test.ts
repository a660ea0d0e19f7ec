import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApiError } from "#operator/api/errors.ts";
import { createTurnstile } from "#operator/api/turnstile.ts";

const isBusy = (error: unknown) => error instanceof ApiError && error.code === "busy";

describe("createTurnstile", () => {
  it("bounds each person, and all together", async () => {
    const turnstile = createTurnstile({ total: 3, each: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait = (person: string) => turnstile.pass(person, () => promise);
    const inside = [wait("anna"), wait("anna")];
    await assert.rejects(wait("anna"), isBusy);
    inside.push(wait("ben"));
    await assert.rejects(wait("carl"), isBusy);
    resolve();
    await Promise.all(inside);
    assert.equal(await turnstile.pass("anna", async () => "in"), "in");
  });

  it("lets the next one in when work has failed", async () => {
    const turnstile = createTurnstile({ total: 1, each: 1 });
    await assert.rejects(
      turnstile.pass("anna", () => Promise.reject(new Error("failed"))),
      /failed/,
    );
    assert.equal(await turnstile.pass("anna", async () => "in"), "in");
  });
});
