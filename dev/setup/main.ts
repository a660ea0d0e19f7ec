import { prepareKafkaStart } from "./kafka-start.ts";
import { buildKubernetes } from "./kubernetes.ts";
import { buildNative } from "./native.ts";

/**
 * `make setup`: everything that tests and demo need beyond npm's packages. What is there already is skipped. The builds go side by side: what
 * one leaves idle while it downloads, configures or links, another one compiles with.
 */
async function main(): Promise<void> {
  await Promise.all([buildNative(), buildKubernetes(), prepareKafkaStart()]);
}

await main();
