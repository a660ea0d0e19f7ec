import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { obstacles, parseTargets } from "#dev/release/targets.ts";

describe("targets of a release", () => {
  it("are those that are named", () => {
    const given = { images: "ghcr.io/headrace", charts: undefined, npm: "https://registry.npmjs.org", github: "a/b" };
    assert.deepEqual(parseTargets(given), given);
    assert.equal(parseTargets({ images: "127.0.0.1:5000/a" }).images, "127.0.0.1:5000/a");
  });

  it("are told one by one if they cannot be used, and that there is none", () => {
    assert.throws(() => parseTargets({ images: undefined }), /^Error: PUBLISH=1 needs a target/);
    assert.throws(() => parseTargets({ images: "https://ghcr.io/headrace", github: "headrace" }), {
      message:
        "PUBLISH_IMAGES must be a registry and a path in it, such as ghcr.io/headrace\n" +
        "PUBLISH_GITHUB must be a repository, such as headrace/headrace",
    });
  });

  it("have no credentials in them", () => {
    assert.throws(
      () => parseTargets({ npm: "https://me:secret@registry.npmjs.org" }),
      ({ message }: Error) => {
        assert.match(message, /^PUBLISH_NPM must be a URL without user and password/);
        assert.doesNotMatch(message, /secret/);
        return true;
      },
    );
    assert.throws(() => parseTargets({ images: "me:secret@ghcr.io/headrace" }), /^Error: PUBLISH_IMAGES must be/);
  });
});

describe("a repository that is to be published", () => {
  const state = { version: "1.2.3", commit: "c0ffee", changes: "", tagged: null };

  it("has all in one commit, with the version's tag or none", () => {
    assert.deepEqual(obstacles(state), []);
    assert.deepEqual(obstacles({ ...state, tagged: "c0ffee" }), []);
    assert.deepEqual(obstacles({ ...state, changes: " M a\n", tagged: "beef" }), [
      "the work tree has changes that are in no commit:\n M a",
      "the tag v1.2.3 is on another commit, beef",
    ]);
  });
});
