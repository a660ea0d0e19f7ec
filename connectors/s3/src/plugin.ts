import { s3Sink } from "./sink/s3-sink.ts";
import { s3Source } from "./source/s3-source.ts";

export { s3Sink, s3Source };

/** The connectors of this package. */
export default [s3Sink, s3Source];
