import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AdmissionRequest, toResponse } from "#operator/webhook/admission-review.ts";

const REQUEST = AdmissionRequest.parse({
  uid: "1",
  kind: { group: "headrace.dev", version: "v1", kind: "KafkaConnector" },
  operation: "CREATE",
  name: "orders",
  namespace: "ns",
});

describe("answer to the API server", () => {
  it("is an API error with one cause per field", () => {
    const errors = [{ field: "spec.config.topic", message: "is\nmissing" }];
    assert.deepEqual(toResponse(REQUEST, { errors, warnings: [] }), {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: {
        uid: "1",
        allowed: false,
        status: {
          status: "Failure",
          reason: "Invalid",
          code: 422,
          message: "spec.config.topic: is missing",
          details: {
            name: "orders",
            group: "headrace.dev",
            kind: "KafkaConnector",
            causes: [{ reason: "FieldValueInvalid", field: "spec.config.topic", message: "is missing" }],
          },
        },
      },
    });
  });

  it("allows with warnings of one short line each", () => {
    const { response } = toResponse(REQUEST, { errors: [], warnings: ["a\n b", "x".repeat(1_000)] }) as {
      response: { allowed: boolean; warnings: string[] };
    };
    assert.deepEqual([response.allowed, response.warnings[0], response.warnings[1]?.length], [true, "a b", 256]);
  });

  it("stays small, however much is wrong", () => {
    const errors = Array.from({ length: 500 }, (_, i) => ({ field: `spec.config.k${i}`, message: "x".repeat(5_000) }));
    const text = JSON.stringify(toResponse(REQUEST, { errors, warnings: [] }));
    assert.ok(text.length < 30_000);
    assert.match(text, /and 480 more/);
  });
});
