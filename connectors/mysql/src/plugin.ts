import { mysqlQuerySource } from "./query/mysql-query-source.ts";
import { mysqlSink } from "./sink/mysql-sink.ts";

export { mysqlQuerySource, mysqlSink };

/** The connectors of this package. */
export default [mysqlSink, mysqlQuerySource];
