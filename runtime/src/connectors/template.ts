import { ConfigError } from "@headrace/sdk";

/** Numbers in [0, 1) for one record: the same seed and sequence always give the same ones. */
export type RandomSource = () => number;

/** What a template may show. */
export interface TemplateInput {
  readonly sequence: number;
  readonly random: RandomSource;
}

export type Template = (input: TemplateInput) => string;

/**
 * Compiles text with `{{…}}`: `{{sequence}}`, `{{int 1 100}}` (both inclusive), `{{double 0 1}}`, `{{pick red|green|blue}}`,
 * `{{hex 8}}`, `{{uuid}}`. Throws ConfigError for anything else.
 */
export function compileTemplate(text: string): Template {
  const parts: Template[] = [];
  let from = 0;
  for (const match of text.matchAll(/\{\{([^}]*)\}\}/g)) {
    const literal = text.slice(from, match.index);
    parts.push(() => literal, compileExpression(match[1]?.trim() ?? ""));
    from = match.index + match[0].length;
  }
  const tail = text.slice(from);
  return (input) => parts.map((part) => part(input)).join("") + tail;
}

function compileExpression(expression: string): Template {
  const [name = "", ...words] = expression.split(/\s+/);
  switch (name) {
    case "sequence":
      return ({ sequence }) => String(sequence);
    case "int": {
      const [min, max] = bounds(expression, words);
      return ({ random }) => String(min + Math.floor(random() * (max - min + 1)));
    }
    case "double": {
      const [min, max] = bounds(expression, words);
      return ({ random }) => (min + random() * (max - min)).toFixed(2);
    }
    case "pick": {
      const choices = expression.slice("pick".length).trim().split("|");
      return ({ random }) => choices[Math.floor(random() * choices.length)] ?? "";
    }
    case "hex": {
      const length = Number(words[0]);
      if (!Number.isInteger(length) || length < 1) throw new ConfigError(`{{${expression}}} needs a length`);
      return ({ random }) => hex(length, random);
    }
    case "uuid":
      return ({ random }) =>
        `${hex(8, random)}-${hex(4, random)}-4${hex(3, random)}-8${hex(3, random)}-${hex(12, random)}`;
    default:
      throw new ConfigError(`{{${expression}}} is none of sequence, int, double, pick, hex, uuid`);
  }
}

function bounds(expression: string, words: readonly string[]): [number, number] {
  const [min = Number.NaN, max = Number.NaN] = words.map(Number);
  if (!(min <= max)) throw new ConfigError(`{{${expression}}} needs two numbers, the smaller one first`);
  return [min, max];
}

function hex(length: number, random: RandomSource): string {
  let text = "";
  while (text.length < length) text += Math.floor(random() * 16).toString(16);
  return text;
}

/** A small generator (mulberry32), seeded by both numbers. */
export function createRandom(seed: number, sequence: number): RandomSource {
  let state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul((sequence + 1) | 0, 0x85ebca77)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
