import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectError } from "#runtime/errors.ts";
import { isKafkasAnswer } from "#runtime/java-kafka.ts";
import { toAccessError } from "#runtime/kafka/access-error.ts";
import { createErrorFromCode } from "#runtime/kafka/kafkajs.ts";
import type { TlsSettings } from "#runtime/kafka/settings.ts";

const SASL = { mechanism: "plain", username: "u", password: "p" } as const;
const TLS: TlsSettings = {
  ...{ ca: null, certificate: null, key: null, keyPassword: null, pkcs12: null, pkcs12Password: null },
  verifyHostname: true,
};
const TRUSTING: TlsSettings = { ...TLS, ca: { kind: "file", path: "/ca.pem" } };
const ADDRESS = { host: "a", port: 1 };

const withCode = (code: string) =>
  toAccessError(Object.assign(new Error(code), { code }), ADDRESS, { sasl: null, tls: TLS });
const during = (code: "kafka" | "timeout", cause: unknown) => new ConnectError(code, "Could not", { cause });
const TOKEN_REFUSED = new ConnectError("kafka-access", "The token endpoint answered 401");

const SASL_FAILED = 58;
const TOPIC_FORBIDDEN = 29;
const UNSUPPORTED_VERSION = 35;

describe("isKafkasAnswer", () => {
  const table: readonly [string, unknown, TlsSettings | null, boolean][] = [
    [
      "credentials that are refused",
      toAccessError(createErrorFromCode(SASL_FAILED), ADDRESS, { sasl: SASL, tls: null }),
      null,
      true,
    ],
    ["rights that are missing", during("kafka", createErrorFromCode(TOPIC_FORBIDDEN)), null, true],
    ["a topic that is not compacted", new ConnectError("config-invalid", "not compacted"), TLS, true],
    ["nobody who answers", during("timeout", new Error("away")), null, true],
    ["a name that does not exist", withCode("ENOTFOUND"), null, true],
    ["a broker of none of the given authorities", withCode("SELF_SIGNED_CERT_IN_CHAIN"), TRUSTING, true],
    ["a client's certificate that is refused", withCode("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"), TLS, true],
    ["a broker that Java may trust", withCode("SELF_SIGNED_CERT_IN_CHAIN"), TLS, false],
    ["ciphers that Java may have", withCode("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"), TLS, false],
    [
      "a request that this client is too old for",
      during("kafka", createErrorFromCode(UNSUPPORTED_VERSION)),
      null,
      false,
    ],
    ["a token endpoint's answer", TOKEN_REFUSED, TRUSTING, false],
    ["what nobody foresaw", new TypeError("x is undefined"), null, false],
  ];
  for (const [what, error, tls, answer] of table) {
    it(`${answer ? "is" : "is not"} ${what}`, () => assert.equal(isKafkasAnswer(error, { tls, sasl: SASL }), answer));
  }
});
