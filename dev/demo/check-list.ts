/** What the demo has checked so far, and whether it held. */
export interface CheckList {
  /** Notes one check and prints it. */
  note(what: string, held: boolean, detail: string): void;
  allHeld(): boolean;
  summary(): string;
}

/** An empty list; `print` gets one line per check. */
export function createCheckList(print: (line: string) => void): CheckList {
  const checks: { readonly what: string; readonly held: boolean; readonly detail: string }[] = [];
  const line = ({ what, held, detail }: (typeof checks)[number]) => `${held ? "✓" : "✗"} ${what}: ${detail}`;
  return {
    note(what, held, detail) {
      const check = { what, held, detail };
      checks.push(check);
      print(`  ${line(check)}`);
    },
    allHeld: () => checks.length > 0 && checks.every(({ held }) => held),
    summary: () => checks.map((check) => `  ${line(check)}`).join("\n"),
  };
}
