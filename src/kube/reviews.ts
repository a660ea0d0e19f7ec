import { z } from "zod";
import type { ApiCaller } from "./api-call.ts";
import type { ObjectKey, ResourceType } from "./client.ts";
import { KubeError } from "./errors.ts";

/** Somebody whom the API server knows, in its words (`authentication.k8s.io/v1` UserInfo). */
export interface Person {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** What somebody wants to do, and with which object. */
export interface AccessQuestion {
  readonly verb: "get" | "update";
  readonly type: ResourceType;
  readonly key: ObjectKey;
}

/** The API server's word on tokens and rights. Failures are KubeError. */
export interface Reviews {
  /** Whose bearer token it is; null: nobody's, or not meant for us. */
  authenticate(token: string, signal: AbortSignal): Promise<Person | null>;
  isAllowed(person: Person, question: AccessQuestion, signal: AbortSignal): Promise<boolean>;
}

/** The API server gives null for lists and maps that are empty. */
const UserInfo = z.object({
  username: z.string().min(1),
  uid: z.string().optional(),
  groups: z
    .array(z.string())
    .nullish()
    .transform((groups) => groups ?? undefined),
  extra: z
    .record(z.string(), z.array(z.string()))
    .nullish()
    .transform((extra) => extra ?? undefined),
});

const TokenReviewed = z.object({
  status: z.union([
    z.object({ authenticated: z.literal(true), user: UserInfo, audiences: z.array(z.string()).nullish() }),
    z.object({ authenticated: z.literal(false).optional() }),
  ]),
});

const AccessReviewed = z.object({ status: z.object({ allowed: z.boolean(), denied: z.boolean().default(false) }) });

/**
 * Asks with TokenReviews (`authentication.k8s.io/v1`) and SubjectAccessReviews (`authorization.k8s.io/v1`). `audiences`: whom tokens must
 * be meant for; empty: the API server itself.
 */
export function createReviews(api: ApiCaller, audiences: readonly string[]): Reviews {
  async function review<T>(
    { group, plural, kind, spec }: { group: string; plural: string; kind: string; spec: object },
    answer: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const doing = `creating ${plural}`;
    const path = `/apis/${group}/v1/${plural}`;
    const body = JSON.stringify({ apiVersion: `${group}/v1`, kind, spec });
    const parsed = answer.safeParse(await api.call({ method: "POST", path, body, doing }, signal));
    if (parsed.success) return parsed.data;
    throw new KubeError("malformed", `${doing}: ${z.prettifyError(parsed.error)}`);
  }

  return {
    async authenticate(token, signal) {
      const spec = { token, ...(audiences.length === 0 ? {} : { audiences }) };
      const request = { group: "authentication.k8s.io", plural: "tokenreviews", kind: "TokenReview", spec };
      const { status } = await review(request, TokenReviewed, signal);
      if (status.authenticated !== true) return null;
      // An authenticator that knows no audiences says yes to a token for anybody.
      const meant = audiences.length === 0 || status.audiences?.some((audience) => audiences.includes(audience));
      return meant === true ? status.user : null;
    },
    async isAllowed({ username, uid, groups, extra }, { verb, type, key }, signal) {
      const { group, version, plural: resource } = type;
      const resourceAttributes = { group, version, resource, ...key, verb };
      const spec = { user: username, uid, groups, extra, resourceAttributes };
      const request = {
        group: "authorization.k8s.io",
        plural: "subjectaccessreviews",
        kind: "SubjectAccessReview",
        spec,
      };
      const { status } = await review(request, AccessReviewed, signal);
      return status.allowed && !status.denied;
    },
  };
}
