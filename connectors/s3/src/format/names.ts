import { config } from "@headrace/sdk";
import { z } from "zod";

/** One of these words, or a class name of which the last part is one, in any case; gives what the word stands for. */
export function named<const Names extends Readonly<Record<string, string>>>(names: Names) {
  const own = [...new Set(Object.values(names))];
  return config.className().transform((given, context): Names[keyof Names] => {
    const word = given.slice(given.lastIndexOf(".") + 1).toLowerCase();
    const found = Object.entries(names).find(([name]) => name === word)?.[1];
    const known = own.find((each): each is Names[keyof Names] & string => each === found);
    if (known !== undefined) return known;
    context.addIssue({ code: "custom", message: `must be one of: ${own.join(", ")}`, input: given });
    return z.NEVER;
  });
}
