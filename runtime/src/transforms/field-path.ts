export type FieldPath = { readonly steps: readonly string[] } | { readonly fault: string };

/**
 * Parses a path of syntax version 2: dots part the steps; back-ticks around a step quote its dots, and a backslash in front of a back-tick
 * that a dot follows makes it part of the name. Source: KIP-821, org.apache.kafka.connect.transforms.field.SingleFieldPath.
 */
export function parseFieldPath(path: string): FieldPath {
  const steps: string[] = [];
  let at = 0;
  while (at < path.length) {
    if (path[at] === "`") {
      const quoted = readQuoted(path, at);
      if (quoted === null) {
        return {
          fault: `Incomplete backtick pair in path: [${path}], consider adding a backslash before backtick at position ${at} to escape it`,
        };
      }
      steps.push(quoted.step);
      at = quoted.next;
      continue;
    }
    const dot = path.indexOf(".", at);
    steps.push(path.slice(at, dot < 0 ? undefined : dot));
    at = dot < 0 ? path.length : dot + 1;
  }
  if (path === "" || path.endsWith(".")) steps.push("");
  return { steps };
}

/** The step that starts with the back-tick at `open`, and where the next step starts; null if it is not closed. */
function readQuoted(path: string, open: number): { readonly step: string; readonly next: number } | null {
  let step = "";
  let start = open + 1;
  for (let at = path.indexOf("`", start); at >= 0; at = path.indexOf("`", at + 1)) {
    const escaped = path[at - 1] === "\\";
    if (at === path.length - 1) return escaped ? null : { step: step + path.slice(start, at), next: path.length };
    if (path[at + 1] !== ".") continue;
    if (!escaped) return { step: step + path.slice(start, at), next: at + 2 };
    step += `${path.slice(start, at - 1)}\``;
    start = at + 1;
  }
  return null;
}
