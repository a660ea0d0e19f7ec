import { avroConverter } from "./avro-converter.ts";
import { jsonSchemaConverter } from "./json-schema-converter.ts";
import { protobufConverter } from "./protobuf-converter.ts";

export { avroConverter, jsonSchemaConverter, protobufConverter };

/** The converters of this package. */
export default [avroConverter, jsonSchemaConverter, protobufConverter];
