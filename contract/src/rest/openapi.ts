import { z } from "zod";
import { ErrorMessage } from "./connect.ts";
import { OPERATIONS, type Operation } from "./operations.ts";

/** The description of the worker's REST API, an OpenAPI 3.1 document; its schemas are those that the worker and the operator check with. */
export function openApiDocument(version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Headrace worker",
      description: "Kafka Connect's REST API, and Headrace's additions under /headrace.",
      version,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: {
      responses: {
        Error: { description: "What went wrong.", content: { "application/json": { schema: schemaOf(ErrorMessage) } } },
      },
    },
  };
}

function describe({ path, summary, query = {}, body, answers, mediaType = "application/json" }: Operation) {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  }));
  const responses = Object.entries(answers).map(([status, schema]) => {
    const content = schema === null ? {} : { content: { [mediaType]: { schema: schemaOf(schema) } } };
    return [status, { description: schema === null ? "Done." : summary, ...content }];
  });
  return {
    summary,
    ...(inPath.length + inQuery.length === 0 ? {} : { parameters: [...inPath, ...inQuery] }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: schemaOf(body) } } } }),
    responses: { ...Object.fromEntries(responses), default: { $ref: "#/components/responses/Error" } },
  };
}

/** Inlined: a document without references between schemas is read by every tool. */
function schemaOf(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input", reused: "inline" });
  return json;
}
