/** How a question of the API server ended: `unchecked` was allowed with a warning since nobody could tell. */
export type ReviewResult = "allowed" | "denied" | "unreadable" | "timeout";

/** Told about every question. */
export interface WebhookMetrics {
  reviewed(kind: string, result: ReviewResult, durationMs: number): void;
}
