import { eventRouter } from "./event-router.ts";
import { extractNewRecordState } from "./extract-new-record-state.ts";

export { eventRouter, extractNewRecordState };

/** The transforms of this package. */
export default [extractNewRecordState, eventRouter];
