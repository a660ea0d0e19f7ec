/** For a query whose values are to stay PostgreSQL's text. */
export const AS_TEXT = { getTypeParser: () => (text: string) => text };
