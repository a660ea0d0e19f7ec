/** The five characters of PostgreSQL's error codes; null for other errors. Source: PostgreSQL, Appendix A. */
export function sqlState(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null;
  // Each has a digit, which EPIPE has not.
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(error.code) ? error.code : null;
}
