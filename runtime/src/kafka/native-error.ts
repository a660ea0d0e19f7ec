import { addon } from "@headrace/native";
import { ConnectError } from "../errors.ts";

const descriptions = new Map<number, readonly [name: string, description: string]>();

/** Name without prefix (`MSG_SIZE_TOO_LARGE`, `_PURGE_QUEUE`) and description of one of librdkafka's error codes. */
export function describeError(code: number): readonly [name: string, description: string] {
  const known = descriptions.get(code);
  if (known !== undefined) return known;
  const description = addon.describeError(code);
  descriptions.set(code, description);
  return description;
}

/** Nobody lets the client in, or it trusts nobody: what to look at. */
const ACCESS_ADVICE: Readonly<Record<string, string>> = {
  _AUTHENTICATION: "check sasl.mechanism and sasl.jaas.config, and that the user exists in Kafka",
  SASL_AUTHENTICATION_FAILED: "check sasl.mechanism and sasl.jaas.config, and that the user exists in Kafka",
  _SSL:
    "check ssl.truststore.* for the broker's certificate authority, ssl.keystore.* if the broker asks for a certificate, and that the " +
    "broker is reached by a name that its certificate has",
};

/** The client was not let in, or does not trust the broker. That passes only when somebody corrects it. */
export function isAccessCode(code: number): boolean {
  return ACCESS_ADVICE[describeError(code)[0]] !== undefined;
}

/** What says that a transactional id belongs to another producer now. */
const FENCED: ReadonlySet<string> = new Set(["_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"]);

/** An error of librdkafka, or of a broker through it. The name comes first in the message: `MSG_SIZE_TOO_LARGE: …`. */
export function toKafkaError(doing: string, code: number, message: string): ConnectError {
  const [name, description] = describeError(code);
  const advice = ACCESS_ADVICE[name];
  const text = `${doing}: ${name}: ${message === "" ? description : message}`;
  if (advice !== undefined) return new ConnectError("kafka-access", `${text}; ${advice}`);
  return new ConnectError(FENCED.has(name) ? "fenced" : "kafka", text);
}

/** What the addon threw, as the worker's error: bad configuration and use after close are told apart from bugs. */
export function wrapAddonError(doing: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (error.code === "ERR_CONFIG")
    return new ConnectError("config-invalid", `${doing}: ${error.message}`, { cause: error });
  if (error.code === "ERR_CLOSED") return new ConnectError("kafka", `${doing}: ${error.message}`, { cause: error });
  return error;
}
