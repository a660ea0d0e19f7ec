/** One login module of a JAAS configuration. */
export interface JaasModule {
  /** Class name, in full. */
  readonly loginModule: string;
  readonly options: ReadonlyMap<string, string>;
}

/** The first login module of `class flag key="value" …;`. Source: javax.security.auth.login.Configuration. */
export function parseJaas(jaas: string): JaasModule {
  return { loginModule: /^\s*([\w.$]+)/.exec(jaas)?.[1] ?? "", options: parseJaasOptions(jaas) };
}

/** The options of the first login module. */
export function parseJaasOptions(jaas: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  const token = /;|([\w.]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s;]+))|"(?:\\.|[^"\\])*"/g;
  for (const [match, key, double, single, bare] of jaas.matchAll(token)) {
    if (match === ";") break;
    if (key === undefined) continue;
    const quoted = double ?? single;
    options.set(key, quoted === undefined ? (bare ?? "") : quoted.replace(/\\(.)/g, "$1"));
  }
  return options;
}
