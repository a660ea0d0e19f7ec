/**
 * A floating-point number without a fraction in schemaless data, where a plain `number` such as 10 stands for an integer: 10.0 is
 * written as `10.0`, as in Java. Converters and transforms make and understand it; connectors get the plain number.
 */
export class WholeDouble {
  static #made = 0;
  readonly value: number;

  constructor(value: number) {
    this.value = value;
    WholeDouble.#made += 1;
  }

  /** How many were made so far; if that has not changed, there is none to be found in new data. */
  static get made(): number {
    return WholeDouble.#made;
  }

  valueOf(): number {
    return this.value;
  }

  toJSON(): number {
    return this.value;
  }
}

/** A floating-point number as schemaless data has it. */
export function toDouble(value: number): number | WholeDouble {
  return Number.isInteger(value) ? new WholeDouble(value) : value;
}
