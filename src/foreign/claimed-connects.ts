import type { KafkaConnect } from "../kinds.ts";
import type { Store } from "../kube/client.ts";
import { createDerivedStore } from "../kube/derived-store.ts";
import { type ForeignApi, type ForeignObject, isClaimed } from "./dialect.ts";
import { viewConnect } from "./view.ts";

/** The claimed KafkaConnects of a group in our form, without their status, whichever operator works on them; as long as the store is there. */
export function claimedConnects(api: ForeignApi, connects: Store<ForeignObject>): Store<KafkaConnect> {
  const claimed = createDerivedStore<KafkaConnect>();

  function look(object: ForeignObject): void {
    const { namespace = "", name } = object.metadata;
    const current = connects.get({ namespace, name });
    if (current === undefined || !isClaimed(current)) claimed.remove({ namespace, name });
    else claimed.put({ namespace, name }, viewConnect(api, current, undefined));
  }

  connects.onChange(({ previous, current }) => {
    const object = current ?? previous;
    if (object !== undefined) look(object);
  });
  for (const object of connects.list()) look(object);
  return claimed.store(() => connects.synced());
}
