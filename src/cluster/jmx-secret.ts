import { createHash, randomBytes } from "node:crypto";
import type { KafkaConnect } from "../kinds.ts";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import { type Secret, Secrets } from "../kube/resources.ts";
import { decode, encode } from "../pki/authority.ts";
import { hasJmxPassword, JMX_PASSWORD, JMX_USERNAME, jmxSecretName } from "./jmx-access.ts";
import { objectMeta } from "./names.ts";
import { isLabelled, isOwnedBy, readOwnSecret } from "./own-secret.ts";

/** Keeps the Secrets with user and password of clusters whose JMX asks for them. */
export interface JmxSecrets {
  /**
   * Makes the Secret if it is missing, and completes it. What is in it stays, also what another operator has made for the same KafkaConnect, or
   * somebody has written there. Answers what changes with user and password; "" where no password is asked for. Idempotent. Throws
   * KubeError `invalid` if a Secret of the name is somebody else's, or JMX cannot use what is in it.
   */
  keep(connect: KafkaConnect, signal: AbortSignal): Promise<string>;
}

/** The names of users are keys of a properties file for Java, which reads passwords up to the next blank. */
const USABLE_USERNAME = /^[\w.@-]+$/;
const USABLE_PASSWORD = /^\S+$/;

export function createJmxSecrets({ kube }: { readonly kube: Pick<KubeClient, "get" | "apply"> }): JmxSecrets {
  return {
    async keep(connect, signal) {
      if (!hasJmxPassword(connect.spec)) return "";
      const name = jmxSecretName(connect.metadata.name);
      // Or made for the same KafkaConnect by the operator that had it before.
      const isOurs = (secret: Secret) => isLabelled(secret) || isOwnedBy(secret, connect);
      const found = await readOwnSecret(kube, connect, { name, isOurs }, signal);
      const username = decode(found?.data?.[JMX_USERNAME]) || random();
      const password = decode(found?.data?.[JMX_PASSWORD]) || random();
      const unusable = [
        ...(USABLE_USERNAME.test(username) ? [] : [JMX_USERNAME]),
        ...(USABLE_PASSWORD.test(password) ? [] : [JMX_PASSWORD]),
      ];
      if (unusable.length > 0) {
        throw new KubeError(
          "invalid",
          `the Secret ${name} has characters in ${unusable.join(" and ")} that JMX cannot use`,
        );
      }
      const wanted = buildJmxSecret(connect, { username, password });
      if (found === null || !isOwnedBy(found, connect) || !hasAll(found, wanted))
        await kube.apply(Secrets, wanted, signal);
      return createHash("sha256").update(`${username} ${password}`).digest("hex").slice(0, 10);
    },
  };
}

function buildJmxSecret(
  connect: KafkaConnect,
  { username, password }: { readonly username: string; readonly password: string },
): Secret {
  const { metadata } = connect.spec.template?.jmxSecret ?? {};
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: objectMeta(connect, jmxSecretName(connect.metadata.name), metadata),
    type: "Opaque",
    data: { [JMX_USERNAME]: encode(username), [JMX_PASSWORD]: encode(password) },
  };
}

function random(): string {
  return randomBytes(18).toString("base64url");
}

/** Whether nothing of `wanted` is missing in `found`; others may have added labels of theirs. */
function hasAll(found: Secret, wanted: Secret): boolean {
  const has = (have: Readonly<Record<string, string>> = {}, want: Readonly<Record<string, string>> = {}) =>
    Object.entries(want).every(([key, value]) => have[key] === value);
  return (
    has(found.data, wanted.data) &&
    has(found.metadata.labels, wanted.metadata.labels) &&
    has(found.metadata.annotations, wanted.metadata.annotations)
  );
}
