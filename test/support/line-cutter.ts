import type { SchemaAndValue } from "@headrace/sdk";
import { LineCutter } from "#runtime/connectors/lines.ts";

/** A line, and where the next one starts. */
export interface Line {
  readonly text: SchemaAndValue;
  readonly end: number;
}

/** A cutter that gives lines as they are. */
export const openCutter = (position = 0): LineCutter<Line> =>
  new LineCutter(position, (text, end): Line => ({ text, end }));
