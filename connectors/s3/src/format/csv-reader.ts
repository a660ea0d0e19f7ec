import { DataError, OPTIONAL_STRING_SCHEMA, type Schema, type SchemaAndValue, structSchema } from "@headrace/sdk";
import type { ItemReader } from "./source-format.ts";

type Row = readonly (string | null)[];

/** Takes CSV apart as RFC 4180 has it, text by text. An empty field is null, `""` the empty text. */
export class CsvParser {
  readonly #delimiter: string;
  #row: (string | null)[] = [];
  #cell = "";
  #state: "start" | "plain" | "quoted" | "closed" = "start";
  #skipLineFeed = false;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** The rows that end in this text. Throws DataError. */
  push(text: string): readonly Row[] {
    const rows: Row[] = [];
    for (const character of text) {
      const first = this.#skipLineFeed;
      this.#skipLineFeed = false;
      if (this.#state === "quoted") {
        if (character === '"') this.#state = "closed";
        else this.#cell += character;
      } else if (character === this.#delimiter) this.#endCell();
      else if (character === "\n" || character === "\r") {
        if (character === "\n" && first) continue;
        this.#skipLineFeed = character === "\r";
        const row = this.#endRow();
        if (row !== null) rows.push(row);
      } else if (character === '"' && this.#state === "start") this.#state = "quoted";
      else if (character === '"' && this.#state === "closed") {
        this.#cell += '"';
        this.#state = "quoted";
      } else if (this.#state === "closed") throw new DataError(`${character} behind the quote that ends a field`);
      else {
        this.#cell += character;
        this.#state = "plain";
      }
    }
    return rows;
  }

  /** The row that ends without a line feed; null: there is none. Throws DataError inside of quotes. */
  end(): Row | null {
    if (this.#state === "quoted") throw new DataError("the quotes of the last field do not end");
    return this.#endRow();
  }

  #endCell(): void {
    this.#row.push(this.#state === "start" ? null : this.#cell);
    this.#cell = "";
    this.#state = "start";
  }

  /** Null for a line without anything. */
  #endRow(): Row | null {
    if (this.#state === "start" && this.#row.length === 0) return null;
    this.#endCell();
    const row = this.#row;
    this.#row = [];
    return row;
  }
}

/** A record per row: a struct of optional texts, named by the first row (`header`), or `column1` and so on. */
export function csvReader({ delimiter, header }: { readonly delimiter: string; readonly header: boolean }): ItemReader {
  return async function* read(object) {
    const parser = new CsvParser(delimiter);
    const decoder = new TextDecoder();
    let names: readonly string[] | null = null;
    let schema: Schema | null = null;
    let count = 0;
    const toItems = (rows: readonly Row[]): SchemaAndValue[] => {
      const items: SchemaAndValue[] = [];
      for (const row of rows) {
        count += 1;
        if (names === null) {
          names = row.map((cell, index) => (header ? (cell ?? "") : `column${index + 1}`));
          schema = structSchema(Object.fromEntries(names.map((name) => [name, OPTIONAL_STRING_SCHEMA])));
          if (header) continue;
        }
        if (row.length !== names.length) {
          throw new DataError(`${object.key}, row ${count}: ${row.length} fields instead of ${names.length}`);
        }
        items.push({ schema, value: Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])) });
      }
      return items;
    };
    const parse = (step: () => readonly Row[]): readonly Row[] => {
      try {
        return step();
      } catch (cause) {
        throw new DataError(`${object.key}, row ${count + 1}: ${cause instanceof Error ? cause.message : cause}`, {
          cause,
        });
      }
    };
    for await (const chunk of object.chunks())
      yield toItems(parse(() => parser.push(decoder.decode(chunk, { stream: true }))));
    yield toItems(
      parse(() => {
        const rows = [...parser.push(decoder.decode())];
        const last = parser.end();
        return last === null ? rows : [...rows, last];
      }),
    );
  };
}
