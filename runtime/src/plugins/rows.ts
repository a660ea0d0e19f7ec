import { type ConfigInfos, hasPlaceholder } from "@headrace/contract";
import { javaHashMapOrder } from "../java-hash-map.ts";
import { checkKeys, checkNull, type KeyDefinition, shownValue } from "./config-def.ts";

/** A configuration as a client sent it: JSON's null is possible there. */
export type GivenConfig = Readonly<Record<string, string | null>>;

const NULL_VALUE = "Null value can not be supplied as the configuration value.";

/** Shorter values are too likely to stand in a message by chance. */
const SHORTEST_SECRET = 4;

/** The configuration under validation: what is checked and what is shown of it. */
export interface Subject {
  readonly given: GivenConfig;
  /** Placeholders resolved, null values left out. */
  readonly resolved: Readonly<Record<string, string>>;
}

/** The rows of a validation's answer, in their order, and the errors found so far. */
export class Rows {
  readonly #subject: Subject;
  readonly #keys = new Map<string, KeyDefinition>();
  readonly #errors = new Map<string, string[]>();
  readonly #mentioned = new Set<string>();
  readonly #shownAs = new Map<string, string | null>();
  readonly #hidden = new Set<string>();

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** Adds rows and checks them. Keys that have a row already are left alone. */
  check(keys: readonly KeyDefinition[]): void {
    const added = keys.filter((key) => !this.#keys.has(key.info.name));
    this.show(added);
    const { given, resolved } = this.#subject;
    const shown = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value ?? ""]));
    const present = added.filter(({ info }) => given[info.name] !== null);
    for (const [name, messages] of checkKeys(present, resolved, shown)) {
      for (const message of messages) this.error(name, message);
    }
    for (const key of added) {
      if (given[key.info.name] !== null) continue;
      for (const message of checkNull(key)) this.error(key.info.name, message);
    }
  }

  /** Adds rows that nothing is to be checked of. */
  show(keys: readonly KeyDefinition[]): void {
    for (const key of keys) if (!this.#keys.has(key.info.name)) this.#keys.set(key.info.name, key);
  }

  /** A key without a row gets one without a definition. The same message counts once. Resolved values go back to their placeholders. */
  error(name: string, given: string): void {
    const message = this.#hideResolved(given);
    const known = this.#errors.get(name);
    if (known === undefined) this.#errors.set(name, [message]);
    else if (!known.includes(message)) known.push(message);
  }

  /** A row without a definition, for a client's setting that nobody knows; it comes after the others. */
  mention(name: string): void {
    this.#mentioned.add(name);
  }

  /** What is shown as the value, unless it is a placeholder that was resolved. */
  showAs(name: string, value: string | null): void {
    this.#shownAs.set(name, value);
  }

  /** The row stays, but user interfaces need not show it. */
  hide(name: string): void {
    this.#hidden.add(name);
  }

  /** Whether the client named this key at all, be it with null. */
  isGiven(name: string): boolean {
    return Object.hasOwn(this.#subject.given, name);
  }

  hasError(name: string): boolean {
    return (this.#errors.get(name)?.length ?? 0) > 0;
  }

  hasErrors(): boolean {
    return [...this.#errors.values()].some((errors) => errors.length > 0);
  }

  /** Tells of every null value; what else is wrong with it has been told before. */
  reportNulls(): void {
    for (const [name, value] of Object.entries(this.#subject.given)) {
      if (value === null) this.error(name, NULL_VALUE);
    }
  }

  toInfos(name: string): ConfigInfos {
    const { given } = this.#subject;
    const known = [...this.#keys.values()].map((key) => ({
      definition: key.info,
      value: {
        name: key.info.name,
        value: this.#shown(key),
        recommended_values: [...key.recommended],
        errors: this.#errors.get(key.info.name) ?? [],
        visible: !this.#hidden.has(key.info.name),
      },
    }));
    const undefinedRow = (key: string) => ({
      definition: null,
      value: {
        name: key,
        value: given[key] ?? null,
        recommended_values: [],
        errors: this.#errors.get(key) ?? [],
        visible: true,
      },
    });
    const isUnknown = (key: string) => !this.#keys.has(key);
    const unknown = [...this.#errors.keys()].filter((key) => isUnknown(key) && !this.#mentioned.has(key));
    const configs = [
      ...javaHashMapOrder(unknown).map(undefinedRow),
      ...known,
      ...[...this.#mentioned].filter(isUnknown).map(undefinedRow),
    ];
    const groups = new Set(known.map(({ definition }) => definition.group).filter((group) => group !== null));
    const error_count = configs.reduce((sum, { value }) => sum + value.errors.length, 0);
    return { name, error_count, groups: [...groups], configs };
  }

  #hideResolved(message: string): string {
    let hidden = message;
    for (const [key, value] of Object.entries(this.#subject.resolved)) {
      const raw = this.#subject.given[key] ?? "";
      if (value.length >= SHORTEST_SECRET && raw !== value && hasPlaceholder(raw))
        hidden = hidden.replaceAll(value, () => raw);
    }
    return hidden;
  }

  #shown(key: KeyDefinition): string | null {
    const raw = this.#subject.given[key.info.name];
    if (raw === null) return null;
    const wasResolved = raw !== undefined && hasPlaceholder(raw) && this.#subject.resolved[key.info.name] !== raw;
    if (wasResolved && key.info.type !== "PASSWORD") return raw;
    const shown = this.#shownAs.get(key.info.name);
    if (shown !== undefined) return shown;
    return raw === undefined ? key.info.default_value : shownValue(key, raw);
  }
}
