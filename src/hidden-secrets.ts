import type { StringMap } from "@headrace/contract";

const HIDDEN = "[hidden]";
/** Names of settings that hold secrets, as far as names tell. */
const SECRET_NAME =
  /pass(word|phrase)?|secret|token|api[._-]?key|credential|private[._-]?key|sasl\.jaas\.config|access[._-]?key/i;
/** A shorter value would be found in ordinary words. */
const MIN_SECRET_LENGTH = 4;

/** What looks like a secret, with what goes in its place. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]+:)[^\s@/]+(@)/gi, `$1${HIDDEN}$2`],
  [/\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [
    /\b([\w.-]*(?:password|passwd|secret|token|api[_.-]?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&)}]+)/gi,
    `$1${HIDDEN}`,
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, HIDDEN],
];

/** The text without the values of secret settings, and without what looks like a secret. */
export function hideSecrets(text: string, config: StringMap): string {
  let shown = text;
  for (const value of secretsIn(config)) shown = shown.replaceAll(value, HIDDEN);
  for (const [pattern, replacement] of PATTERNS) shown = shown.replace(pattern, replacement);
  return shown;
}

function secretsIn(config: StringMap): readonly string[] {
  return Object.entries(config)
    .filter(([name, value]) => SECRET_NAME.test(name) && value.length >= MIN_SECRET_LENGTH && !value.includes("${"))
    .map(([, value]) => value)
    .toSorted((a, b) => b.length - a.length);
}
