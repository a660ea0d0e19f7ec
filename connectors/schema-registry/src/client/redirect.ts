/** An answer that sends whoever asked somewhere else. */
export interface Redirect {
  readonly status: number;
  /** Where to, as the answer has it; may be relative. */
  readonly location: string | undefined;
  /** What was asked: the URL of the registry, and the path below it. */
  readonly base: URL;
  readonly path: string;
}

/** Whether an answer is one. 304 is none. */
export const isRedirect = (status: number): boolean => status >= 300 && status < 400 && status !== 304;

/** What to tell of one: where it leads, and what to do. User, password and query, which may be secret, are left out. */
export function redirectText({ status, location, base, path }: Redirect): string {
  const asked = base.href.replace(/\/$/, "");
  const target = location === undefined ? null : URL.parse(location, `${asked}${path}`);
  if (target === null)
    return `the schema registry ${base.host} answered with a redirect that leads nowhere (${status})`;
  const shown = `${target.origin}${target.pathname}`;
  const wanted = path.replace(/\?.*$/, "");
  const told = `the schema registry ${base.host} redirects to ${shown} (${status}), and redirects are not followed`;
  // Another place for the same thing is where the registry is.
  return shown.endsWith(wanted)
    ? `${told}: put ${shown.slice(0, -wanted.length)} into schema.registry.url`
    : `${told}: schema.registry.url has to be the registry's own address; is there a login page or a proxy in front of it?`;
}
