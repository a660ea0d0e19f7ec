import { config } from "@headrace/sdk";
import type { z } from "zod";

/** Keys by which a database is reached, as the JDBC connectors call them; `url` describes those of the database. */
export function connectionKeys(url: string) {
  return config.group("Connection", {
    "connection.url": config.nonEmpty().describe(url),
    "connection.user": config.text().optional().describe("User; not given: the URL's."),
    "connection.password": config.password().optional().describe("Password; not given: the URL's."),
    "connection.timeout.ms": config
      .int({ min: 1 })
      .default(10_000)
      .describe("Time to connect, ms.")
      .meta({ importance: "LOW" }),
  });
}

export type ConnectionSettings = z.output<z.ZodObject<ReturnType<typeof connectionKeys>>>;
