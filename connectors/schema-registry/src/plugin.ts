import { avroConverter } from "./avro-converter.ts";
import { jsonSchemaConverter } from "./json-schema-converter.ts";

export { avroConverter, jsonSchemaConverter };

/** The converters of this package. */
export default [avroConverter, jsonSchemaConverter];
