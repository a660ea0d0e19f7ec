/** What the addon itself exports: the shapes of `src/`. Everything is checked on the other side; wrong arguments throw. */
export interface Addon {
  version(): string;
  /** Comma separated. */
  features(): string;
  /** Name without prefix and description of one of librdkafka's error codes. */
  describeError(code: number): [string, string];
  dieWithParent(expectedParentPid: number): boolean;
}
