import { config } from "@headrace/sdk";
import type { z } from "zod";

/** Keys by which the database is reached, as the JDBC connectors call them. */
export const CONNECTION_KEYS = config.group("Connection", {
  "connection.url": config
    .nonEmpty()
    .describe(
      "mysql://host:port/database or mariadb://…, the same with jdbc: before it; ?sslMode=VERIFY_IDENTITY for TLS.",
    ),
  "connection.user": config.text().optional().describe("User; not given: the URL's."),
  "connection.password": config.password().optional().describe("Password; not given: the URL's."),
  "connection.timeout.ms": config
    .int({ min: 1 })
    .default(10_000)
    .describe("Time to connect, ms.")
    .meta({ importance: "LOW" }),
});

export type ConnectionSettings = z.output<z.ZodObject<typeof CONNECTION_KEYS>>;
