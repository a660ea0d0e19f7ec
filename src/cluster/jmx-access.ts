import { API_GROUP, type KafkaConnectSpec } from "@headrace/contract";
import { OWN_DIR } from "./kafka-access.ts";

export const JMX_PORT = 9999;

/** On the pod of a JVM worker that asks for a password: changes with user and password of JMX. */
export const JMX_HASH_ANNOTATION = `${API_GROUP}/jmx-hash`;

/** Keys of the Secret with user and password; other tools know them by Strimzi's names. */
export const JMX_USERNAME = "jmx-username";
export const JMX_PASSWORD = "jmx-password";

type JmxSpec = Pick<KafkaConnectSpec, "runtime" | "jmxOptions">;

/** Whether the workers answer on `JMX_PORT`. */
export function hasJmx({ runtime, jmxOptions }: JmxSpec): boolean {
  return runtime === "Jvm" && jmxOptions !== undefined;
}

/** Whether they ask for a password there. */
export function hasJmxPassword(spec: JmxSpec): boolean {
  return hasJmx(spec) && spec.jmxOptions?.authentication !== undefined;
}

/** Name of the Secret with user and password, which is Strimzi's name for it. */
export function jmxSecretName(cluster: string): string {
  return `${cluster}-kafka-connect-jmx`;
}

const VOLUME = "headrace-jmx";
const SECRET_DIR = `${OWN_DIR}/jmx`;
/** Java takes a file of passwords only if nobody but its owner may read it; files of a Secret are not so for every user of a pod. */
const FILES_DIR = "/tmp/headrace-jmx";
const ACCESS_FILE = `${FILES_DIR}/access`;
const PASSWORD_FILE = `${FILES_DIR}/password`;

/** The options of the Java virtual machine, at the pod's own address; none if JMX is off. Without a password in them. */
export function jmxOptions(spec: JmxSpec): readonly string[] {
  if (!hasJmx(spec)) return [];
  const authentication = hasJmxPassword(spec)
    ? [
        "-Dcom.sun.management.jmxremote.authenticate=true",
        `-Dcom.sun.management.jmxremote.access.file=${ACCESS_FILE}`,
        `-Dcom.sun.management.jmxremote.password.file=${PASSWORD_FILE}`,
      ]
    : ["-Dcom.sun.management.jmxremote.authenticate=false"];
  return [
    "-Dcom.sun.management.jmxremote=true",
    ...authentication,
    "-Dcom.sun.management.jmxremote.ssl=false",
    "-Dcom.sun.management.jmxremote.host=$(POD_IP)",
    `-Dcom.sun.management.jmxremote.port=${JMX_PORT}`,
    `-Dcom.sun.management.jmxremote.rmi.port=${JMX_PORT}`,
    "-Djava.rmi.server.hostname=$(POD_IP)",
  ];
}

/**
 * `command`, after the files that Java reads are written where JMX asks for a password. Nothing else gets to know it: the shell's own printf
 * writes it, so that it is in no command line and no environment. The user may look at everything and change nothing.
 */
export function withJmxFiles(spec: JmxSpec, command: readonly string[]): readonly string[] {
  if (!hasJmxPassword(spec)) return command;
  const script = [
    "umask 077",
    `mkdir -p ${FILES_DIR}`,
    readLine("user", `${SECRET_DIR}/${JMX_USERNAME}`),
    readLine("password", `${SECRET_DIR}/${JMX_PASSWORD}`),
    `printf '%s readonly\\n' "$user" > ${ACCESS_FILE}`,
    `printf '%s %s\\n' "$user" "$password" > ${PASSWORD_FILE}`,
  ].join(" && ");
  return ["/bin/sh", "-c", `(${script}) && exec "$@"`, "start", ...command];
}

/** A file of a Secret does not end its line, which `read` tells as a failure. */
function readLine(variable: string, file: string): string {
  return `{ read -r ${variable} < ${file} || [ -n "$${variable}" ]; }`;
}

/** Volumes of a worker pod: the Secret, where JMX asks for a password. */
export function jmxVolumes(spec: JmxSpec, secretName: string): readonly object[] {
  if (!hasJmxPassword(spec)) return [];
  const items = [JMX_USERNAME, JMX_PASSWORD].map((key) => ({ key, path: key }));
  return [{ name: VOLUME, secret: { secretName, items } }];
}

/** Where the worker's container sees it. */
export function jmxMounts(spec: JmxSpec): readonly object[] {
  return hasJmxPassword(spec) ? [{ name: VOLUME, mountPath: SECRET_DIR, readOnly: true }] : [];
}
