import { z } from "zod";

/**
 * The key that every converter but the simple header converter has in Java. The framework sets it. Source:
 * org.apache.kafka.connect.storage.ConverterConfig.
 */
export const CONVERTER_TYPE = {
  "converter.type": z
    .string()
    .optional()
    .describe("What the converter is used for: key, value or header; set by the worker.")
    .meta({ importance: "LOW", required: true }),
} as const;
