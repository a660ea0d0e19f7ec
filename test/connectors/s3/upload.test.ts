import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { s3Sink } from "@headrace/s3";
import { problemsOf } from "@headrace/sdk/testing";
import { ObjectUpload } from "../../../connectors/s3/src/sink/upload.ts";
import type { ObjectStore } from "../../../connectors/s3/src/store/object-store.ts";

describe("an upload that is dropped", () => {
  it("waits for no part that is on its way (invariant 7)", async () => {
    const unexpected = () => Promise.reject(new Error("nothing of that is done when it is dropped"));
    const aborted: string[] = [];
    let sending = 0;
    const store: ObjectStore = {
      put: unexpected,
      createUpload: async (key) => ({ key, uploadId: "u" }),
      // A server that takes the bytes and never answers.
      async uploadPart(_upload, _number, _bytes, signal) {
        sending += 1;
        await once(signal, "abort");
        throw signal.reason;
      },
      completeUpload: unexpected,
      async abortUpload({ uploadId }) {
        aborted.push(uploadId);
      },
      listUploads: unexpected,
      async *list() {},
      head: unexpected,
      get: unexpected,
      remove: unexpected,
      copy: unexpected,
      check: unexpected,
    };
    const closing = new AbortController();
    const upload = new ObjectUpload({ store, key: "k", headers: {}, partSize: 1, closing: closing.signal });
    upload.add(Buffer.from("x"));
    await upload.advance(AbortSignal.timeout(60_000));
    assert.equal(sending, 1);
    await upload.abandon(AbortSignal.timeout(60_000));
    assert.deepEqual(aborted, ["u"]);
  });
});

describe("the size of parts", () => {
  it("is enough for the largest object", async () => {
    const problems = await problemsOf(
      s3Sink,
      { "s3.bucket.name": "b", "file.max.bytes": String(2 ** 40) },
      AbortSignal.timeout(60_000),
    );
    assert.match(problems.get("s3.part.size")?.join() ?? "", /at least 109951163/);
  });
});
