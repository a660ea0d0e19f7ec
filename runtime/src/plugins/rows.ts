import type { ConfigInfos } from "@headrace/contract";
import { hasPlaceholder } from "../config-providers/placeholders.ts";
import { checkKeys, type KeyDefinition, shownValue } from "./config-def.ts";

/** A configuration as a client sent it: JSON's null is possible there. */
export type GivenConfig = Readonly<Record<string, string | null>>;

const NULL_VALUE = "Null value can not be supplied as the configuration value.";

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
    for (const { info } of added) if (given[info.name] === null) this.error(info.name, NULL_VALUE);
  }

  /** Adds rows that nothing is to be checked of. */
  show(keys: readonly KeyDefinition[]): void {
    for (const key of keys) if (!this.#keys.has(key.info.name)) this.#keys.set(key.info.name, key);
  }

  /** A key without a row gets one without a definition. The same message counts once. */
  error(name: string, message: string): void {
    const known = this.#errors.get(name);
    if (known === undefined) this.#errors.set(name, [message]);
    else if (!known.includes(message)) known.push(message);
  }

  /** A row without a definition, for a key that nobody knows; it comes after the others. */
  mention(name: string): void {
    if (!this.#errors.has(name)) this.#errors.set(name, []);
  }

  hasErrors(): boolean {
    return [...this.#errors.values()].some((errors) => errors.length > 0);
  }

  /** Null values of keys that nobody knows. */
  reportNulls(): void {
    for (const [name, value] of Object.entries(this.#subject.given)) {
      if (value === null && !this.#keys.has(name)) this.error(name, NULL_VALUE);
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
        visible: true,
      },
    }));
    const unknown = [...this.#errors].flatMap(([key, errors]) =>
      this.#keys.has(key)
        ? []
        : [
            {
              definition: null,
              value: { name: key, value: given[key] ?? null, recommended_values: [], errors, visible: true },
            },
          ],
    );
    const configs = [...known, ...unknown];
    const groups = new Set(known.map(({ definition }) => definition.group).filter((group) => group !== null));
    const error_count = configs.reduce((sum, { value }) => sum + value.errors.length, 0);
    return { name, error_count, groups: [...groups], configs };
  }

  #shown(key: KeyDefinition): string | null {
    const raw = this.#subject.given[key.info.name];
    if (raw === undefined) return key.info.default_value;
    if (raw === null) return null;
    return key.info.type !== "PASSWORD" && hasPlaceholder(raw) ? raw : shownValue(key, raw);
  }
}
