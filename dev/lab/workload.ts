/**
 * What happens to the items of the shop: rounds of one transaction each, with insertions, updates and deletions, the same in every run. It knows of
 * each item what has happened to it, in order.
 */
export interface Workload {
  /** The rows that are there before the first round, as SQL. */
  first(count: number): string;
  /** One round as SQL: a transaction. */
  round(): string;
  /** What has happened to each item so far, deleted ones included. */
  steps(): ReadonlyMap<number, readonly Step[]>;
  /** Ids of those that are there. */
  present(): ReadonlySet<number>;
}

/**
 * A thing that has happened to an item, as a number that grows with each: version v came is 2v, it was deleted at version v is 2v + 1. Ids are used
 * once.
 */
export type Step = number;

/** The item has become this version. */
export const changedTo = (version: number): Step => 2 * version;
/** The item was deleted when it was at this version. */
export const deletedAt = (version: number): Step => 2 * version + 1;

const INSERTS = 8;
const UPDATES = 20;
const DELETES = 4;
/** Spreads what a round changes over all items. */
const STRIDE = 37;

/** Creates one without items. */
export function createWorkload(): Workload {
  const versions = new Map<number, number>();
  const steps = new Map<number, Step[]>();
  let next = 1;
  let rounds = 0;

  function insert(count: number): string {
    const from = next;
    next += count;
    for (let id = from; id < next; id += 1) {
      versions.set(id, 1);
      steps.set(id, [changedTo(1)]);
    }
    return `INSERT INTO items (id, sku, name, supplier, quantity, price)
      SELECT id, 'SKU-' || lpad(id::text, 6, '0'), 'Item ' || id, 'Supplier ' || id % 17, id % 100, (id * 7 % 10000) / 100.0
      FROM generate_series(${from}, ${next - 1}) AS id;`;
  }

  /** Some of the items that are there, others each time. */
  function choose(count: number, start: number): readonly number[] {
    const present = [...versions.keys()];
    const chosen = Array.from({ length: count }, (_, index) => present[(start + index * STRIDE) % present.length] ?? 0);
    return [...new Set(chosen)].filter((id) => id > 0);
  }

  return {
    first: insert,
    round() {
      rounds += 1;
      const inserted = insert(INSERTS);
      const updated = choose(UPDATES, rounds * 101);
      for (const id of updated) {
        const version = (versions.get(id) ?? 0) + 1;
        versions.set(id, version);
        steps.get(id)?.push(changedTo(version));
      }
      const deleted = choose(DELETES, rounds * 211);
      for (const id of deleted) {
        steps.get(id)?.push(deletedAt(versions.get(id) ?? 0));
        versions.delete(id);
      }
      return `BEGIN;
        ${inserted}
        UPDATE items SET quantity = quantity + ${rounds}, version = version + 1, changed_at = clock_timestamp() WHERE id IN (${updated.join(", ")});
        DELETE FROM items WHERE id IN (${deleted.join(", ")});
        COMMIT;`;
    },
    steps: () => steps,
    present: () => new Set(versions.keys()),
  };
}
