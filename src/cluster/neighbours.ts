import type { KafkaConnect } from "../kinds.ts";
import type { Store } from "../kube/client.ts";

type Connects = Pick<Store<KafkaConnect>, "list" | "onChange">;

/** All KafkaConnects that this operator knows, of every API group: what they ask for of one Kafka must not be the same. */
export interface Neighbours {
  list(): readonly KafkaConnect[];
  /** Counts those of a store from now on. Answers what ends it. */
  follow(connects: Connects): () => void;
  /** Tells of each KafkaConnect whose spec is another one, that has come, or that is gone. Answers how to stop. */
  onChange(listener: (changed: readonly KafkaConnect[]) => void): () => void;
}

export function createNeighbours(): Neighbours {
  const followed = new Set<Connects>();
  const listeners = new Set<(changed: readonly KafkaConnect[]) => void>();

  function tell(changed: readonly KafkaConnect[]): void {
    for (const listener of listeners) listener(changed);
  }

  return {
    list: () => [...followed].flatMap((connects) => connects.list()),
    follow(connects) {
      followed.add(connects);
      const unsubscribe = connects.onChange(({ previous, current }) => {
        const [before, after] = [previous?.metadata, current?.metadata];
        if (before?.uid === after?.uid && before?.generation === after?.generation) return;
        tell([previous, current].filter((one) => one !== undefined));
      });
      tell(connects.list());
      return () => {
        unsubscribe();
        const gone = connects.list();
        followed.delete(connects);
        tell(gone);
      };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
