import { join } from "node:path";
import { startKafka } from "#dev/kafka.ts";
import type { TestBed } from "./scenario.ts";
import { openTopics } from "./topic.ts";

/** Starts a Kafka of its own for scenarios, with the JVM's own defaults; its data and all else goes into `dir`. */
export async function openBench(
  options: Pick<TestBed, "dir" | "scale" | "full">,
): Promise<{ readonly bench: TestBed; readonly close: () => Promise<void> }> {
  const kafka = await startKafka({ dir: join(options.dir, "kafka"), heap: "2g", quickStart: false });
  const topics = await openTopics(kafka.bootstrap);
  let names = 0;
  const name = (prefix: string) => {
    names += 1;
    return `${prefix}-${names}`;
  };
  return {
    bench: { ...options, bootstrap: kafka.bootstrap, topics, name },
    async close() {
      await topics.close();
      await kafka.kill();
    },
  };
}
