import { ConfigError, defineSource } from "@headrace/sdk";
import { tablesOf } from "../blocking/blocking-snapshot.ts";
import { fromEntries } from "../incremental/progress.ts";
import { createCaptureTask } from "./capture-task.ts";
import { openClient, readServer } from "./database.ts";
import { fromStreamOffset } from "./offset.ts";
import { SETTINGS } from "./settings.ts";

/**
 * Captures the changes of a database by logical replication, after a first reading of its tables. Configuration, topics, keys and events are those
 * of Debezium's connector.
 *
 * Guarantees: every change that is committed comes at least once and in the order of commits, after what was read of its table; PostgreSQL keeps
 * each change until Kafka has it (invariant 1).
 */
export const postgresCdcSource = defineSource({
  name: "postgres-cdc-source",
  version: "0.1.0",
  aliases: ["io.debezium.connector.postgresql.PostgresConnector"],
  config: SETTINGS,
  async validate(settings, signal) {
    try {
      const client = await openClient(settings, signal);
      try {
        await readServer(client);
        const { rows } = await client.query<{ may: boolean }>(
          "SELECT rolreplication OR rolsuper AS may FROM pg_roles WHERE rolname = current_user",
        );
        if (rows[0]?.may === true) return {};
        return { "database.user": ["the user may not replicate: ALTER ROLE … REPLICATION"] };
      } finally {
        await client.end();
      }
    } catch (error) {
      return { "database.hostname": [`cannot be captured: ${error instanceof Error ? error.message : error}`] };
    }
  },
  planTasks: () => [{}],
  openTask: createCaptureTask,
  /** Tables whose reading was interrupted are read again. */
  exactlyOnceSupport: (settings) => (/^(no_data|never)$/.test(settings["snapshot.mode"]) ? "SUPPORTED" : "UNSUPPORTED"),
  alterOffsets(settings, offsets) {
    for (const { partition, offset } of offsets) {
      if (partition["server"] !== settings["topic.prefix"])
        throw new ConfigError('A partition of this connector is {"server":"<topic.prefix>"}');
      if (offset === null || partition["table"] !== undefined) continue;
      fromStreamOffset(offset);
      fromEntries(offset);
      tablesOf(offset);
    }
    return true;
  },
});
