/**
 * The Java class that Connect's tools expect for an error, in dead letters (`__connect.errors.exception.class.name`) and wherever else a
 * class is named. Errors of connectors that have no counterpart keep their own name.
 */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  DataError: "org.apache.kafka.connect.errors.DataException",
  RetriableError: "org.apache.kafka.connect.errors.RetriableException",
  ConfigError: "org.apache.kafka.common.config.ConfigException",
  ConnectError: "org.apache.kafka.connect.errors.ConnectException",
};

export function javaClassOf(error: unknown): string {
  const name = error instanceof Error ? error.name : typeof error;
  return EXCEPTIONS[name] ?? name;
}

/** An error's message; null if it has none, as in Java. */
export function messageOf(error: unknown): string | null {
  if (!(error instanceof Error)) return String(error);
  return error.message === "" ? null : error.message;
}
