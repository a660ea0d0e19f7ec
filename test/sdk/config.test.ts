import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { config } from "@headrace/sdk";
import type { z } from "zod";

interface Row {
  readonly schema: z.ZodType;
  readonly text: string;
  readonly value?: unknown;
  readonly fault?: string;
}

const ROWS: Readonly<Record<string, Row>> = {
  "an int": { schema: config.int(), text: " 42 ", value: 42 },
  "a negative int": { schema: config.int(), text: "-7", value: -7 },
  "text as int": { schema: config.int(), text: "x", fault: "Not a number of type INT" },
  "nothing as int": { schema: config.int(), text: "", fault: "Not a number of type INT" },
  "hexadecimal as int": { schema: config.int(), text: "0x10", fault: "Not a number of type INT" },
  "an int too large": { schema: config.int(), text: "2147483648", fault: "Not a number of type INT" },
  "an int below its range": { schema: config.int({ min: 1 }), text: "0", fault: "Value must be at least 1" },
  "an int above its range": { schema: config.int({ max: 9 }), text: "10", fault: "Value must be no more than 9" },
  "a long": { schema: config.long(), text: "9007199254740991", value: 9007199254740991 },
  "a double": { schema: config.double(), text: "1e3", value: 1000 },
  "text as double": { schema: config.double(), text: "x", fault: "Not a number of type DOUBLE" },
  true: { schema: config.boolean(), text: "TRUE", value: true },
  false: { schema: config.boolean(), text: "false", value: false },
  neither: { schema: config.boolean(), text: "1", fault: "Expected value to be either true or false" },
  "a list": { schema: config.list(), text: " a, b ,c", value: ["a", "b", "c"] },
  "an empty list": { schema: config.list(), text: " ", value: [] },
  "a class": { schema: config.className(), text: " org.x.Y ", value: "org.x.Y" },
  "a word in any case": { schema: config.anyCaseOf("insert", "upsert"), text: " UPSERT ", value: "upsert" },
  "another word": { schema: config.anyCaseOf("a", "b"), text: "c", fault: "String must be one of: a, b" },
  "a list of words": { schema: config.listOf("a", "b"), text: "b, a", value: ["b", "a"] },
  "a list with another word": { schema: config.listOf("a"), text: "a,x", fault: "Item x must be one of: a" },
  "a list with a word twice": { schema: config.listOf("a"), text: "a,a", fault: "Item a is there twice" },
  "a URL": { schema: config.httpUrl(), text: " http://h:1/x ", value: "http://h:1/x" },
  "no URL": { schema: config.httpUrl(), text: "h", fault: "Not a URL" },
  "another URL": { schema: config.httpUrl(), text: "ftp://h", fault: "URL must start with http:// or https://" },
  "one of": { schema: config.oneOf("none", "all"), text: "all", value: "all" },
};

describe("config helpers", () => {
  for (const [name, { schema, text, value, fault }] of Object.entries(ROWS)) {
    it(`read ${name}`, () => {
      const result = schema.safeParse(text);
      if (fault === undefined) assert.deepEqual(result.data, value);
      else assert.equal(result.error?.issues[0]?.message, fault);
    });
  }

  it("group keys in their order, and keep what else is said of them", () => {
    const shape = config.group("Connection", {
      host: config.text().describe("Host."),
      port: config.int().default(1).meta({ importance: "LOW" }),
    });
    assert.deepEqual(shape.host.meta(), { configType: "STRING", description: "Host.", group: "Connection", order: 1 });
    const { importance, group, order } = shape.port.meta() ?? {};
    assert.deepEqual([importance, group, order], ["LOW", "Connection", 2]);
  });

  it("hide a password in every text form", () => {
    const secret = config.password().parse("s3cret");
    assert.equal(secret.reveal(), "s3cret");
    assert.equal(`${String(secret)} ${JSON.stringify(secret)}`, '[hidden] "[hidden]"');
  });
});
