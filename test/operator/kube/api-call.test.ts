import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createController } from "#operator/controller/controller.ts";
import { settled } from "#operator/controller/outcome.ts";
import { withoutSlotAfter } from "#operator/controller/slot.ts";
import { API_CALL_DEFAULTS, type ApiRequest, createApiCaller } from "#operator/kube/api-call.ts";
import type { Http } from "#operator/kube/http.ts";
import { createLog } from "#operator/log.ts";
import { eventually } from "#support/eventually.ts";

const REQUEST: ApiRequest = { method: "GET", path: "/", doing: "getting it" };

/** An API server that turns the first request away for `retryAfterMs`. */
function busyHttp(retryAfterMs: number): Http & { readonly requests: () => number } {
  let requests = 0;
  return {
    async send() {
      requests += 1;
      const body = (async function* () {
        yield Buffer.from("{}");
      })();
      return requests === 1 ? { status: 429, retryAfterMs, body } : { status: 200, retryAfterMs: null, body };
    },
    refreshCredentials() {},
    close() {},
    requests: () => requests,
  };
}

describe("createApiCaller", () => {
  it("holds nobody up while the API server asks to be left alone", async (test) => {
    const http = busyHttp(10_000);
    const waiting = <R>(wait: () => Promise<R>) => withoutSlotAfter(1, wait);
    const api = createApiCaller({ ...API_CALL_DEFAULTS, http, waiting });
    const stop = new AbortController();
    const seen: string[] = [];
    const controller = createController({
      name: "test",
      log: createLog("silent"),
      concurrency: 1,
      async reconcile({ name }, signal) {
        if (name === "turned-away") await api.call(REQUEST, signal);
        seen.push(name);
        return settled;
      },
    });
    const running = controller.run(stop.signal);
    test.after(async () => {
      stop.abort();
      await running;
    });
    for (const name of ["turned-away", "next"]) controller.enqueue({ namespace: "n", name });
    await eventually("the next has its turn", () => seen.length > 0);
    assert.deepEqual(seen, ["next"]);
    assert.equal(http.requests(), 1);
  });

  it("calls again after the time that the API server asks for", async () => {
    const http = busyHttp(1);
    const api = createApiCaller({ ...API_CALL_DEFAULTS, http });
    assert.deepEqual(await api.call(REQUEST, AbortSignal.timeout(60_000)), {});
    assert.equal(http.requests(), 2);
  });
});
