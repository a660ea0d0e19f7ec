/** A name as SQL writes it. */
export const quote = (name: string): string => `\`${name.replaceAll("`", "``")}\``;

const ESCAPES: Readonly<Record<string, string>> = { "\0": "\\0", "'": "\\'", "\\": "\\\\" };

/** Text as SQL writes it, in a session that takes backslashes as escapes and speaks UTF-8. Source: MySQL, "String Literals". */
export function textLiteral(text: string): string {
  return `'${text.replace(/[\0'\\]/g, (character) => ESCAPES[character] ?? "")}'`;
}
