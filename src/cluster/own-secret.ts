import { API_GROUP } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import { type Secret, Secrets } from "../kube/resources.ts";

/**
 * A Secret that the operator keeps for a KafkaConnect; null if there is none. Throws KubeError `invalid` if one of the name is not `isOurs`; not
 * given: made by the operator, as its labels say.
 */
export async function readOwnSecret(
  kube: Pick<KubeClient, "get">,
  { metadata: { namespace = "" } }: KafkaConnect,
  { name, isOurs = isLabelled }: { readonly name: string; readonly isOurs?: (secret: Secret) => boolean },
  signal: AbortSignal,
): Promise<Secret | null> {
  const secret = await kube.get(Secrets, { namespace, name }, signal);
  if (secret === null || isOurs(secret)) return secret;
  throw new KubeError(
    "invalid",
    `the Secret ${name} was not made by the operator and has the name of one that it needs: delete or rename it`,
  );
}

/** Whether the operator has made it, for whatever KafkaConnect. */
export function isLabelled({ metadata }: Secret): boolean {
  return metadata.labels?.[`${API_GROUP}/kind`] === "KafkaConnect";
}

/** Whether it goes with this very KafkaConnect. */
export function isOwnedBy(secret: Secret | null, { metadata }: KafkaConnect): boolean {
  return secret?.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true;
}
