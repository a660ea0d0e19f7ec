import { postgresSink } from "./postgres-sink.ts";
import { postgresQuerySource } from "./query/postgres-query-source.ts";

export { postgresQuerySource, postgresSink };

/** The connectors of this package. */
export default [postgresSink, postgresQuerySource];
