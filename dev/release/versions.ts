/** A place in the repository that says a version. */
export interface VersionPlace {
  readonly file: string;
  readonly version: string | undefined;
}

/** Places that say another version than `wanted`, as sentences. Empty when all agree. */
export function disagreements(wanted: string, places: readonly VersionPlace[]): readonly string[] {
  return places
    .filter(({ version }) => version !== wanted)
    .map(({ file, version }) => `${file} has ${version ?? "no version"} instead of ${wanted}`);
}

/**
 * The part of the changelog about a version, without its heading: the section of that version, or, before it has one, the one of what is
 * unreleased. Throws if there is neither.
 */
export function changelogSection(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const of = (title: string) =>
    sections.find((section) => section.split(/\s/, 1)[0]?.replace(/^\[|\]$/g, "") === title);
  const section = of(version) ?? of("Unreleased");
  if (section === undefined) throw new Error(`CHANGELOG.md has no section for ${version}`);
  return `${section.slice(section.indexOf("\n")).trim()}\n`;
}
