import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startKafka } from "../kafka.ts";
import { step } from "../progress.ts";
import { classArchive, formattedData, kafkaLibs } from "./kafka.ts";

/**
 * Makes what lets later brokers start quickly: a formatted data directory and an archive of the classes that a broker loads. Starts and
 * stops one broker for it. Does nothing if both are there.
 */
export async function prepareKafkaStart(): Promise<void> {
  const libs = await kafkaLibs();
  const archive = classArchive(libs);
  const formatted = formattedData(libs);
  if (existsSync(archive) && existsSync(formatted)) return;
  await step("prepare quick starts of Kafka", async () => {
    const dir = mkdtempSync(join(tmpdir(), "headrace-kafka-start-"));
    const partial = `${archive}.${process.pid}.partial`;
    try {
      const kafka = await startKafka({ dir, jvmOptions: [`-XX:ArchiveClassesAtExit=${partial}`] });
      const data = join(dir, "data");
      const copy = `${formatted}.${process.pid}.partial`;
      for (const file of ["meta.properties", "bootstrap.checkpoint"]) cpSync(join(data, file), join(copy, file));
      if (!existsSync(formatted)) renameSync(copy, formatted);
      else rmSync(copy, { recursive: true });
      await kafka.stop();
      if (existsSync(partial)) renameSync(partial, archive);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
}
