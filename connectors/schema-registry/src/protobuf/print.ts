import { type ProtoEnum, type ProtoField, type ProtoFile, type ProtoMessage, simpleName } from "./proto-schema.ts";

/**
 * The text of a file, in the layout of Confluent's registry, which takes it for the same schema. Messages of the file's own are named by
 * their last part. Source: io.confluent.kafka.schemaregistry.protobuf.ProtobufSchemaUtils.
 */
export function printProtoFile(file: ProtoFile): string {
  const parts = [`syntax = "proto3";\n${file.package === "" ? "" : `package ${file.package};\n`}`];
  if (file.imports.length > 0) parts.push(file.imports.map((path) => `import "${path}";\n`).join(""));
  parts.push(file.messages.map(printMessage).join(""));
  return parts.join("\n");
}

function printMessage(message: ProtoMessage): string {
  const plain = message.fields.filter((field) => field.oneof === null);
  const oneofs = message.oneofs.map((name) => {
    const members = message.fields.filter((field) => field.oneof === name);
    return `oneof ${name} {\n${indented(members.map(printField).join(""))}}\n`;
  });
  const nested = [...message.messages.map(printMessage), ...message.enums.map(printEnum)];
  const parts = [plain.map(printField), oneofs, nested]
    .filter((part) => part.length > 0)
    .map((part) => `\n${indented(part.join(""))}`);
  return `message ${simpleName(message)} {${parts.join("")}}\n`;
}

function printEnum(given: ProtoEnum): string {
  const values = [...given.values].map(([name, number]) => `${name} = ${number};\n`).join("");
  return `enum ${simpleName(given)} {\n${indented(values)}}\n`;
}

function printField(field: ProtoField): string {
  const label = field.presence === "repeated" || field.presence === "optional" ? `${field.presence} ` : "";
  const options = [...metaOf(field.params), ...defaultOf(field)];
  const [only, more] = options;
  const list = only === undefined ? "" : more === undefined ? ` [${only}]` : ` [\n${indented(options.join(",\n"))}]`;
  return `${label}${typeName(field)} ${field.name} = ${field.number}${list};\n`;
}

function typeName({ type }: ProtoField): string {
  if (type.kind === "scalar") return type.scalar;
  const { fullName } = type.kind === "enum" ? type.enum : type.message;
  return isForeign(fullName) ? fullName : simpleName({ fullName });
}

function isForeign(fullName: string): boolean {
  return /^(?:google\.(?:protobuf|type)|confluent\.type)\./.test(fullName);
}

function metaOf(params: Readonly<Record<string, string>>): readonly string[] {
  const entries = Object.entries(params);
  if (entries.length === 0) return [];
  const items = entries.map(([key, value]) => {
    const [name, text] = [`key: ${quoted(key)}`, `value: ${quoted(value)}`];
    // The older of these have the value first.
    const members = key === "precision" || key === "scale" ? [text, name] : [name, text];
    return `{\n${indented(members.join(",\n"))}}`;
  });
  return [`(confluent.field_meta) = {\n${indented(`params: [\n${indented(items.join(",\n"))}]`)}}`];
}

function defaultOf({ fallback }: ProtoField): readonly string[] {
  if (fallback === null) return [];
  return [`default = ${typeof fallback === "string" ? quoted(fallback) : numberText(String(fallback))}`];
}

function numberText(text: string): string {
  return text.replace("Infinity", "inf").replace("NaN", "nan");
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ['"', '\\"'],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"\n\r\t]/g, (char) => ESCAPES.get(char) ?? char)}"`;
}

/** Each line two blanks further right, the last one ended. */
function indented(text: string): string {
  return text
    .replace(/\n$/, "")
    .replaceAll(/^(?=.)/gm, "  ")
    .concat("\n");
}
