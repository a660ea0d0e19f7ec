import { spoolSink } from "./spool-sink.ts";
import { spoolSource } from "./spool-source.ts";

/** What the worker finds in this package. */
export default [spoolSource, spoolSink];
