import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toAccessError } from "#runtime/kafka/access-error.ts";
import { isAccessError, isConnectionError, isRetriable } from "#runtime/kafka/errors.ts";

const broker = { host: "kafka", port: 9093 };
const sasl = { mechanism: "plain", username: "u", password: "canary" } as const;

function failure(name: string, more: object): Error {
  return Object.assign(new Error("it failed"), { name, ...more });
}

describe("a broker that does not let a client in", () => {
  for (const [what, error, message] of [
    [
      "the password",
      failure("KafkaJSSASLAuthenticationError", {}),
      /kafka:9093 refused the credentials \(SASL PLAIN\).*check sasl\.mechanism/,
    ],
    ["the user", failure("KafkaJSProtocolError", { type: "SASL_AUTHENTICATION_FAILED" }), /refused the credentials/],
    [
      "an unknown authority",
      failure("KafkaJSConnectionError", { code: "SELF_SIGNED_CERT_IN_CHAIN" }),
      /kafka:9093 \(SELF_SIGNED_CERT_IN_CHAIN\).*ssl\.truststore\.location/,
    ],
    [
      "another name",
      failure("KafkaJSConnectionError", { code: "ERR_TLS_CERT_ALTNAME_INVALID" }),
      /a name that its certificate has.*ssl\.endpoint\.identification\.algorithm/,
    ],
    [
      "an old certificate",
      failure("KafkaJSConnectionError", { code: "CERT_HAS_EXPIRED" }),
      /renew the broker's certificate/,
    ],
    [
      "a client without a certificate",
      failure("KafkaJSConnectionError", { code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" }),
      /check ssl\.keystore/,
    ],
    [
      "a port without TLS",
      failure("KafkaJSConnectionError", { code: "ERR_SSL_WRONG_VERSION_NUMBER" }),
      /security\.protocol is right for this port/,
    ],
  ] as const) {
    it(`is named for ${what}, with what to do`, () => {
      const told = toAccessError(error, broker, { sasl, tls: null });
      assert.ok(told instanceof Error);
      assert.match(told.message, message);
      assert.doesNotMatch(told.message, /canary/);
      assert.ok(isAccessError(told) && isRetriable(told) && !isConnectionError(told));
    });
  }

  it("is not confused with one that is away", () => {
    for (const error of [
      failure("KafkaJSConnectionError", { code: "ECONNREFUSED" }),
      failure("KafkaJSConnectionClosedError", {}),
      failure("KafkaJSProtocolError", { type: "GROUP_AUTHORIZATION_FAILED" }),
      "text",
    ]) {
      assert.equal(toAccessError(error, broker, { sasl: null, tls: null }), error);
    }
  });
});
