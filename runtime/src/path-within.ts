import { normalize } from "node:path";

/** Whether an absolute path is a directory, or lies below it, by their names alone. */
export function isWithin(path: string, directory: string): boolean {
  const [wanted, root] = [normalize(path), normalize(directory).replace(/\/$/, "")];
  return wanted === root || wanted.startsWith(`${root}/`);
}
