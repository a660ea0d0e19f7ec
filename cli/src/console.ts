/** Where a command reads and writes; tests give their own. */
export interface Console {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** All of standard input. */
  readonly readInput: () => Promise<string>;
}
