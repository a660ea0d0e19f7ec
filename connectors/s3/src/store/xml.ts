/**
 * The answers of S3 are flat XML: elements without attributes that matter, texts with the five entities and numeric ones. Keys of listings
 * are asked for URL-encoded (`encoding-type=url`), since XML cannot hold all of them.
 */

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replace(/&(#x?[0-9a-fA-F]+|[a-z]+);/g, (whole, name: string) => {
    if (!name.startsWith("#")) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(name[1] === "x" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1)));
  });
}

/** The inner XML of each element of this name, in order; not for elements that hold others of their name. */
export function elements(xml: string, name: string): readonly string[] {
  const found = xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?(?:/>|>([\\s\\S]*?)</${name}>)`, "g"));
  return [...found].map(([, inner = ""]) => inner);
}

/** The text of the first element of this name; null if there is none. */
export function textOf(xml: string, name: string): string | null {
  const [first] = elements(xml, name);
  return first === undefined ? null : decode(first);
}

/** Reads keys of a listing: URL-decoded if the page says that it is encoded so, which not every server does. */
export function keyReader(page: string): (xml: string, name: string) => string | null {
  const encoded = textOf(page, "EncodingType") === "url";
  return (xml, name) => {
    const text = textOf(xml, name);
    return text === null || !encoded ? text : decodeURIComponent(text.replaceAll("+", "%20"));
  };
}

/** Text that may stand in an element. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
