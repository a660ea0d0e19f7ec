import { avroConverter } from "./avro-converter.ts";

export { avroConverter };

/** The converters of this package. */
export default [avroConverter];
