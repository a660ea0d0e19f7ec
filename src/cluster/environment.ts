/** A variable of a container's environment. */
export interface EnvironmentEntry {
  readonly name: string;
  readonly value?: unknown;
  readonly valueFrom?: unknown;
}

/** A variable with its value in the open. */
export interface Variable extends EnvironmentEntry {
  readonly value: string;
}

/** What the operator's own parts of a container, probes among them, rely on. */
const FIXED = /^(POD_(IP|UID|NAME)|NODE_NAME|NODE_TLS_REJECT_UNAUTHORIZED|HEADRACE_.*)$/;

/**
 * The operator's variables, then the user's, each name once: Kubernetes refuses to apply a list with one twice. The user's takes the place
 * of ours, but not of those that must be ours. Of two of the user's with one name the last counts, as in a container.
 */
export function toEnvironment<T extends EnvironmentEntry, U extends EnvironmentEntry>(
  own: readonly T[],
  users: readonly U[] = [],
): readonly (T | U)[] {
  const fixed = new Set(fixedOf(own, users));
  const given = users.filter(({ name }) => !fixed.has(name));
  const last = new Map(given.map((variable) => [variable.name, variable]));
  return [...own.filter(({ name }) => !last.has(name)), ...given.filter((each) => last.get(each.name) === each)];
}

/** Names of the user's variables that are not applied, since they must be the operator's. */
export function fixedOf(own: readonly EnvironmentEntry[], users: readonly EnvironmentEntry[] = []): readonly string[] {
  const names = new Set(own.map(({ name }) => name).filter((name) => FIXED.test(name)));
  return [...new Set(users.map(({ name }) => name).filter((name) => names.has(name)))];
}
