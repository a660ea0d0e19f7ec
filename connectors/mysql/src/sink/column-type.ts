import { DATE_NAME, DataError, DECIMAL_NAME, type Schema, scaleOf, TIME_NAME, TIMESTAMP_NAME } from "@headrace/sdk";

/** Limits of DECIMAL that MySQL and MariaDB have in common. */
const PRECISION = 65;
const SCALE = 30;

/** The type of a new column. Keys have a length, tell capitals from small letters, and keep what Kafka has for different keys apart. */
export function columnTypeOf(schema: Schema, isKey: boolean): string {
  switch (schema.name) {
    case DECIMAL_NAME:
      return decimalType(scaleOf(schema));
    case DATE_NAME:
      return "date";
    case TIME_NAME:
      return "time(3)";
    case TIMESTAMP_NAME:
      return "datetime(3)";
    default:
      break;
  }
  switch (schema.type) {
    case "INT8":
      return "tinyint";
    case "INT16":
      return "smallint";
    case "INT32":
      return "int";
    case "INT64":
      return "bigint";
    case "FLOAT32":
      return "float";
    case "FLOAT64":
      return "double";
    case "BOOLEAN":
      return "tinyint(1)";
    case "STRING":
      return isKey ? "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" : "longtext CHARACTER SET utf8mb4";
    case "BYTES":
      return isKey ? "varbinary(255)" : "longblob";
    case "ARRAY":
    case "MAP":
    case "STRUCT":
      return "json";
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}

function decimalType(scale: number): string {
  if (scale > SCALE)
    throw new DataError(`a decimal with ${scale} places cannot be kept exactly: make the column yourself`);
  return `decimal(${PRECISION},${Math.max(scale, 0)})`;
}
