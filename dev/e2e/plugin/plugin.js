import { setTimeout as sleep } from "node:timers/promises";
import { config, defineSource } from "@headrace/sdk";
import { z } from "zod";

const PAUSE_MS = 100;
const PARTITION = { source: "beats" };

/** Counts from 0, ten times a second: what `make e2e` puts into an image of its own. */
export default defineSource({
  name: "beats",
  config: z.object({ topic: config.nonEmpty().describe("Topic to write to.") }),
  planTasks: () => [{}],
  async openTask({ topic }, context) {
    let next = Number((await context.offset(PARTITION))?.["beat"] ?? -1) + 1;
    return {
      async poll(signal) {
        await sleep(PAUSE_MS, undefined, { signal });
        const beat = next++;
        const value = { schema: null, value: String(beat) };
        return [{ topic, value, sourcePartition: PARTITION, sourceOffset: { beat } }];
      },
      close() {},
    };
  },
});
