/** How a question of the API server ended. `timeout` and `unreadable` were allowed, with a warning. */
export type ReviewResult = "allowed" | "denied" | "unreadable" | "timeout";

/** Told about every question. */
export interface WebhookMetrics {
  reviewed(kind: string, result: ReviewResult, durationMs: number): void;
}
