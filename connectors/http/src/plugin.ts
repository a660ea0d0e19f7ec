import { httpSink } from "./http-sink.ts";
import { httpSource } from "./http-source.ts";
import { webhookSource } from "./webhook-source.ts";

export { httpSink, httpSource, webhookSource };

/** The connectors of this package. */
export default [httpSink, httpSource, webhookSource];
