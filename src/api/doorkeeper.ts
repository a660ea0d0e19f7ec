import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { withDeadline } from "../deadline.ts";
import { createLimiter } from "../kube/limiter.ts";
import type { AccessQuestion, Person, Reviews } from "../kube/reviews.ts";
import { ApiError } from "./errors.ts";
import { createExpiringCache } from "./expiring-cache.ts";

/** Says who somebody is and what he may do. */
export interface Doorkeeper {
  /** Whose token it is. Throws ApiError `unauthenticated`, or `unavailable` if the API server does not say. */
  identify(token: string): Promise<Person>;
  /** Throws ApiError `forbidden`, or `unavailable` if the API server does not say. */
  admit(person: Person, question: AccessQuestion): Promise<void>;
}

export interface DoorkeeperOptions {
  readonly reviews: Reviews;
  readonly log: Logger;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** Told how long each question to the API server took, ms. */
  readonly reviewed: (review: "token" | "access", durationMs: number) => void;
}

/** Rights that were taken away count for at most so long. */
const YES_MS = 10_000;
const NO_MS = 2_000;
const MAX_ENTRIES = 1_000;
const REVIEWS_AT_A_TIME = 16;
const REVIEW_TIMEOUT_MS = 5_000;

/** Asks the API server, and remembers its answers for 10 s. Tokens are remembered as hashes only. `signal` ends all questions. */
export function createDoorkeeper({ reviews, log, now, reviewed }: DoorkeeperOptions, signal: AbortSignal): Doorkeeper {
  const limiter = createLimiter(REVIEWS_AT_A_TIME);
  const bounds = { maxEntries: MAX_ENTRIES, now };
  const people = createExpiringCache<Person | null>({
    ...bounds,
    lifeMs: (person) => (person === null ? NO_MS : YES_MS),
  });
  const rights = createExpiringCache<boolean>({ ...bounds, lifeMs: (allowed) => (allowed ? YES_MS : NO_MS) });

  async function ask<T>(review: "token" | "access", question: (deadline: AbortSignal) => Promise<T>): Promise<T> {
    const startedMs = now();
    try {
      return await withDeadline(
        REVIEW_TIMEOUT_MS,
        (deadline) => limiter.run(() => question(deadline), deadline),
        signal,
      );
    } catch (cause) {
      // The error says what the API server said, never the token.
      log.warn({ review, err: cause }, "no answer to a review");
      throw new ApiError("unavailable", "The Kubernetes API does not say who you are or what you may do.", { cause });
    } finally {
      reviewed(review, now() - startedMs);
    }
  }

  return {
    async identify(token) {
      const person = await people.get(hash(token), () =>
        ask("token", (deadline) => reviews.authenticate(token, deadline)),
      );
      if (person === null)
        throw new ApiError("unauthenticated", "The bearer token is not one of this Kubernetes cluster.");
      return person;
    },
    async admit(person, question) {
      const { verb, type, key } = question;
      const id = hash(JSON.stringify([person, verb, type.group, key.namespace, key.name]));
      if (await rights.get(id, () => ask("access", (deadline) => reviews.isAllowed(person, question, deadline))))
        return;
      const object = `${type.plural}.${type.group} "${key.name}" in the namespace "${key.namespace}"`;
      throw new ApiError("forbidden", `${person.username} needs the right to ${verb} ${object} for this.`);
    },
  };
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
