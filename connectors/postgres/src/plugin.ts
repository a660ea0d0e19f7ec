import { postgresCdcSource } from "./capture/postgres-cdc-source.ts";
import { postgresSink } from "./postgres-sink.ts";
import { postgresQuerySource } from "./query/postgres-query-source.ts";

export { postgresCdcSource, postgresQuerySource, postgresSink };

/** The connectors of this package. */
export default [postgresSink, postgresQuerySource, postgresCdcSource];
