import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDoorkeeper } from "#operator/api/doorkeeper.ts";
import { ApiError } from "#operator/api/errors.ts";
import { KafkaConnects } from "#operator/kinds.ts";
import { KubeError } from "#operator/kube/errors.ts";
import type { AccessQuestion, Person, Reviews } from "#operator/kube/reviews.ts";
import { createLog } from "#operator/log.ts";

const ANNA: Person = { username: "anna", groups: ["readers"] };
const QUESTION: AccessQuestion = { verb: "get", type: KafkaConnects, key: { namespace: "shop", name: "a" } };

function isRefused(code: string) {
  return (error: unknown) => error instanceof ApiError && error.code === code;
}

describe("createDoorkeeper", () => {
  function open(reviews: Partial<Reviews> = {}) {
    const asked: string[] = [];
    const took: string[] = [];
    const lines: string[] = [];
    const clock = { ms: 0 };
    const all: Reviews = {
      async authenticate(token) {
        asked.push(token);
        return token === "anna's" ? ANNA : null;
      },
      async isAllowed({ username }, { verb }) {
        asked.push(`${username} ${verb}`);
        return verb === "get";
      },
      ...reviews,
    };
    const log = createLog("info", { write: (line) => void lines.push(line) });
    const options = { reviews: all, log, now: () => clock.ms, reviewed: (review: string) => void took.push(review) };
    return { door: createDoorkeeper(options, new AbortController().signal), asked, took, lines, clock };
  }

  it("knows people by their tokens, for 10 s", async () => {
    const { door, asked, took, clock } = open();
    assert.deepEqual(await door.identify("anna's"), ANNA);
    clock.ms = 9_999;
    assert.deepEqual(await door.identify("anna's"), ANNA);
    assert.deepEqual(asked, ["anna's"]);
    clock.ms = 10_000;
    await door.identify("anna's");
    assert.deepEqual(asked, ["anna's", "anna's"]);
    assert.deepEqual(took, ["token", "token"]);
  });

  it("turns away whom the API server does not know, and asks again after 2 s", async () => {
    const { door, asked, clock } = open();
    await assert.rejects(door.identify("stolen"), isRefused("unauthenticated"));
    await assert.rejects(door.identify("stolen"), isRefused("unauthenticated"));
    assert.equal(asked.length, 1);
    clock.ms = 2_000;
    await assert.rejects(door.identify("stolen"), isRefused("unauthenticated"));
    assert.equal(asked.length, 2);
  });

  it("admits by verb, cluster and person, for 10 s", async () => {
    const { door, asked } = open();
    await door.admit(ANNA, QUESTION);
    await door.admit(ANNA, QUESTION);
    await assert.rejects(door.admit(ANNA, { ...QUESTION, verb: "update" }), (error) => {
      assert.ok(error instanceof ApiError);
      const right = 'update kafkaconnects.headrace.dev "a" in the namespace "shop"';
      assert.deepEqual([error.code, error.message], ["forbidden", `anna needs the right to ${right} for this.`]);
      return true;
    });
    await door.admit({ ...ANNA, groups: [] }, QUESTION);
    await door.admit(ANNA, { ...QUESTION, key: { namespace: "shop", name: "b" } });
    assert.deepEqual(asked, ["anna get", "anna update", "anna get", "anna get"]);
  });

  it("lets nobody in while the API server does not answer, keeps no such answer, and logs no token", async () => {
    let away = true;
    const { door, lines } = open({
      async authenticate() {
        if (away) throw new KubeError("unavailable", "creating tokenreviews: away");
        return ANNA;
      },
    });
    await assert.rejects(door.identify("anna's"), isRefused("unavailable"));
    away = false;
    assert.deepEqual(await door.identify("anna's"), ANNA);
    assert.match(lines.join(), /tokenreviews: away/);
    assert.doesNotMatch(lines.join(), /anna's/);
  });
});
