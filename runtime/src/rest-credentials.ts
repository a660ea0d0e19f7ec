import { readFileSync } from "node:fs";
import { parse } from "dot-properties";

/** Names under which `rest.extension.classes` asks for basic authentication. */
export const BASIC_AUTH_EXTENSIONS: readonly string[] = [
  "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
  "BasicAuthSecurityRestExtension",
  "basic-auth",
];

const ENTRY = /(?:^|[\s;}])KafkaConnect\s*\{([^}]*)\}/;
const MODULE = /^\s*([\w.$]+)\s+(\w+)\s+([^;]*);\s*$/;
const FILE = /\bfile\s*=\s*"((?:\\.|[^"\\])*)"/;

/**
 * The users of a JAAS file's entry `KafkaConnect`, whose one login module is Kafka's PropertyFileLoginModule: a properties file of user
 * names and passwords. Throws an error that says what is missing; never with a password in it.
 */
export function readCredentials(jaasFile: string): ReadonlyMap<string, string> {
  const jaas = readText(jaasFile).replace(/\/\*[\s\S]*?\*\/|^\s*(?:\/\/|#).*$/gm, "");
  const entry = ENTRY.exec(jaas)?.[1];
  if (entry === undefined) throw new Error(`${jaasFile} has no entry KafkaConnect`);
  const [, module, , options = ""] = MODULE.exec(entry) ?? [];
  const file = FILE.exec(options)?.[1]?.replace(/\\(.)/g, "$1");
  if (module?.split(".").at(-1) !== "PropertyFileLoginModule" || file === undefined) {
    throw new Error(`${jaasFile}: KafkaConnect must have one login module, PropertyFileLoginModule, with file="…"`);
  }
  const users = Object.entries(parse(readText(file)));
  const known = users.flatMap(([user, password]) => (typeof password === "string" ? [[user, password] as const] : []));
  // Apache's module lets everybody in then; nobody can have meant that.
  if (known.length === 0) throw new Error(`${file} has no users: lines of user=password are needed`);
  return new Map(known);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`${file} cannot be read: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}
