import { s3Sink } from "./sink/s3-sink.ts";

export { s3Sink };

/** The connectors of this package. */
export default [s3Sink];
