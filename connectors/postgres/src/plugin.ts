import { postgresSink } from "./postgres-sink.ts";

export { postgresSink };

/** The connectors of this package. */
export default [postgresSink];
