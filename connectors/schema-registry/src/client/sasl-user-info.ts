/** user:password of a JAAS configuration, `class flag username="…" password="…";`; null if it does not have both. */
export function saslUserInfo(jaas: string): string | null {
  const options = new Map<string, string>();
  const token = /(\w+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s;]+))|"(?:\\.|[^"\\])*"|;/g;
  for (const [match, key, double, single, bare = ""] of jaas.matchAll(token)) {
    if (match === ";") break;
    if (key !== undefined) options.set(key, (double ?? single)?.replace(/\\(.)/g, "$1") ?? bare);
  }
  const user = options.get("username");
  const password = options.get("password");
  return user === undefined || password === undefined ? null : `${user}:${password}`;
}
