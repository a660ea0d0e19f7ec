import { ApiError } from "./errors.ts";

/** Bounds what is under way at a time, in all and for each person. */
export interface Turnstile {
  /** Runs `work`, or throws ApiError `busy` at once if it would be too much. */
  pass<R>(person: string, work: () => Promise<R>): Promise<R>;
}

export function createTurnstile({ total, each }: { readonly total: number; readonly each: number }): Turnstile {
  const inside = new Map<string, number>();
  let count = 0;
  return {
    async pass(person, work) {
      const theirs = inside.get(person) ?? 0;
      if (count >= total || theirs >= each) throw new ApiError("busy", "Too many requests are under way; ask again.");
      count += 1;
      inside.set(person, theirs + 1);
      try {
        return await work();
      } finally {
        count -= 1;
        const left = (inside.get(person) ?? 1) - 1;
        if (left === 0) inside.delete(person);
        else inside.set(person, left);
      }
    },
  };
}
