import { cloudEventsConverter } from "./cloud-events/converter.ts";
import { eventRouter } from "./event-router.ts";
import { extractNewRecordState } from "./extract-new-record-state.ts";

export { cloudEventsConverter, eventRouter, extractNewRecordState };

/** The transforms and converters of this package. */
export default [extractNewRecordState, eventRouter, cloudEventsConverter];
