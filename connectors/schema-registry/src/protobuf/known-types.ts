/**
 * Files that may be imported without a reference, in the form in which a registry has them. Source: the public .proto files of the same
 * paths; what no message is made of (services, options of languages, descriptors) is left out.
 */
const OPTIONS = ["File", "Message", "Field", "Oneof", "ExtensionRange", "Enum", "EnumValue", "Service", "Method"];

const google = (body: string) => `syntax = "proto3";\npackage google.protobuf;\n\n${body}`;
const type = (body: string, imports = "") => `syntax = "proto3";\npackage google.type;\n${imports}\n${body}`;

/** A message from lines such as `int64 seconds`, numbered from 1. */
function message(name: string, ...fields: readonly string[]): string {
  return `message ${name} {\n${fields.map((field, index) => `  ${field} = ${index + 1};\n`).join("")}}\n`;
}

/** An enum, numbered from 0. */
function enumeration(name: string, ...values: readonly string[]): string {
  return `enum ${name} {\n${values.map((value, index) => `  ${value} = ${index};\n`).join("")}}\n`;
}

const WRAPPERS = [
  ["DoubleValue", "double"],
  ["FloatValue", "float"],
  ["Int64Value", "int64"],
  ["UInt64Value", "uint64"],
  ["Int32Value", "int32"],
  ["UInt32Value", "uint32"],
  ["BoolValue", "bool"],
  ["StringValue", "string"],
  ["BytesValue", "bytes"],
] as const;

export const WRAPPERS_FILE = "google/protobuf/wrappers.proto";
export const TIMESTAMP_FILE = "google/protobuf/timestamp.proto";
export const DATE_FILE = "google/type/date.proto";
export const TIME_FILE = "google/type/timeofday.proto";
export const DECIMAL_FILE = "confluent/type/decimal.proto";

/** Texts by the path that an import names. */
export const KNOWN_FILES: ReadonlyMap<string, string> = new Map([
  ["google/protobuf/any.proto", google(message("Any", "string type_url", "bytes value"))],
  [
    "google/protobuf/descriptor.proto",
    `syntax = "proto2";\npackage google.protobuf;\n\n${OPTIONS.map(
      (name) => `message ${name}Options {\n  extensions 1000 to max;\n}\n`,
    ).join("")}`,
  ],
  ["google/protobuf/duration.proto", google(message("Duration", "int64 seconds", "int32 nanos"))],
  ["google/protobuf/empty.proto", google("message Empty {}\n")],
  ["google/protobuf/field_mask.proto", google(message("FieldMask", "repeated string paths"))],
  [
    "google/protobuf/struct.proto",
    google(
      `${message("Struct", "map<string, Value> fields")}message Value {
  oneof kind {
    NullValue null_value = 1;
    double number_value = 2;
    string string_value = 3;
    bool bool_value = 4;
    Struct struct_value = 5;
    ListValue list_value = 6;
  }
}
${message("ListValue", "repeated Value values")}${enumeration("NullValue", "NULL_VALUE")}`,
    ),
  ],
  [TIMESTAMP_FILE, google(message("Timestamp", "int64 seconds", "int32 nanos"))],
  [WRAPPERS_FILE, google(WRAPPERS.map(([name, scalar]) => message(name, `${scalar} value`)).join(""))],
  [
    "google/type/calendar_period.proto",
    type(
      enumeration(
        "CalendarPeriod",
        ..."CALENDAR_PERIOD_UNSPECIFIED DAY WEEK FORTNIGHT MONTH QUARTER HALF YEAR".split(" "),
      ),
    ),
  ],
  [
    "google/type/color.proto",
    type(
      message("Color", "float red", "float green", "float blue", "google.protobuf.FloatValue alpha"),
      `\nimport "${WRAPPERS_FILE}";\n`,
    ),
  ],
  [DATE_FILE, type(message("Date", "int32 year", "int32 month", "int32 day"))],
  [
    "google/type/datetime.proto",
    type(
      `message DateTime {
  int32 year = 1;
  int32 month = 2;
  int32 day = 3;
  int32 hours = 4;
  int32 minutes = 5;
  int32 seconds = 6;
  int32 nanos = 7;
  oneof time_offset {
    google.protobuf.Duration utc_offset = 8;
    TimeZone time_zone = 9;
  }
}
${message("TimeZone", "string id", "string version")}`,
      '\nimport "google/protobuf/duration.proto";\n',
    ),
  ],
  [
    "google/type/dayofweek.proto",
    type(
      enumeration(
        "DayOfWeek",
        ..."DAY_OF_WEEK_UNSPECIFIED MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY".split(" "),
      ),
    ),
  ],
  ["google/type/decimal.proto", type(message("Decimal", "string value"))],
  [
    "google/type/expr.proto",
    type(message("Expr", "string expression", "string title", "string description", "string location")),
  ],
  ["google/type/fraction.proto", type(message("Fraction", "int64 numerator", "int64 denominator"))],
  [
    "google/type/interval.proto",
    type(
      message("Interval", "google.protobuf.Timestamp start_time", "google.protobuf.Timestamp end_time"),
      `\nimport "${TIMESTAMP_FILE}";\n`,
    ),
  ],
  ["google/type/latlng.proto", type(message("LatLng", "double latitude", "double longitude"))],
  ["google/type/money.proto", type(message("Money", "string currency_code", "int64 units", "int32 nanos"))],
  [
    "google/type/month.proto",
    type(
      enumeration(
        "Month",
        "MONTH_UNSPECIFIED",
        ..."JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER".split(" "),
      ),
    ),
  ],
  [
    "google/type/phone_number.proto",
    type(
      `message PhoneNumber {
  oneof kind {
    string e164_number = 1;
    ShortCode short_code = 2;
  }
  string extension = 3;
  message ShortCode {
    string region_code = 1;
    string number = 2;
  }
}
`,
    ),
  ],
  [
    "google/type/postal_address.proto",
    type(
      message(
        "PostalAddress",
        "int32 revision",
        ..."region_code language_code postal_code sorting_code administrative_area locality sublocality"
          .split(" ")
          .map((name) => `string ${name}`),
        "repeated string address_lines",
        "repeated string recipients",
        "string organization",
      ),
    ),
  ],
  ["google/type/quaternion.proto", type(message("Quaternion", "double x", "double y", "double z", "double w"))],
  [TIME_FILE, type(message("TimeOfDay", "int32 hours", "int32 minutes", "int32 seconds", "int32 nanos"))],
  [
    DECIMAL_FILE,
    `syntax = "proto3";\npackage confluent.type;\n\n${message("Decimal", "bytes value", "uint32 precision", "int32 scale")}`,
  ],
  [
    "confluent/meta.proto",
    `syntax = "proto3";
package confluent;

import "google/protobuf/descriptor.proto";

message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
}
${["File", "Message", "Field", "Enum", "EnumValue"]
  .map((name) => {
    const field = name === "EnumValue" ? "enum_value" : name.toLowerCase();
    return `extend google.protobuf.${name}Options {\n  Meta ${field}_meta = 1088;\n}\n`;
  })
  .join("")}`,
  ],
]);

/** The scalar inside each wrapper message, by its full name. */
export const WRAPPED: ReadonlyMap<string, (typeof WRAPPERS)[number][1]> = new Map(
  WRAPPERS.map(([name, scalar]) => [`google.protobuf.${name}`, scalar]),
);
