import { kafkaLibs } from "./kafka.ts";
import { prepareKafkaStart } from "./kafka-start.ts";
import { buildKubernetes } from "./kubernetes.ts";
import { buildNative } from "./native.ts";

/**
 * `make setup`: everything that tests and demo need beyond npm's packages. What is there already is skipped.
 * Kafka's download overlaps with the builds; the builds go one after the other, since each uses all CPUs.
 */
async function main(): Promise<void> {
  const kafka = kafkaLibs();
  kafka.catch(() => {}); // Awaited below; a failing build must not leave it unhandled meanwhile.
  await buildNative();
  await buildKubernetes();
  await kafka;
  await prepareKafkaStart();
}

await main();
