import { connectionKeys } from "@headrace/sql";

/** Keys by which the database is reached. */
export const CONNECTION_KEYS = connectionKeys(
  "mysql://host:port/database or mariadb://…, the same with jdbc: before it; ?sslMode=VERIFY_IDENTITY for TLS.",
);
