import { z } from "zod";

/** A change that the API server asks about (admission.k8s.io/v1). */
export const AdmissionRequest = z.object({
  uid: z.string(),
  kind: z.object({ group: z.string(), version: z.string(), kind: z.string() }),
  operation: z.string(),
  name: z.string().default(""),
  namespace: z.string().default(""),
  object: z.unknown().optional(),
  oldObject: z.unknown().optional(),
});
export type AdmissionRequest = z.infer<typeof AdmissionRequest>;

export const AdmissionReview = z.object({
  apiVersion: z.literal("admission.k8s.io/v1"),
  kind: z.literal("AdmissionReview"),
  request: AdmissionRequest,
});

/** What is wrong with one field, for instance `spec.config.topic`. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** What is said about a change: with any error it is refused; warnings are shown to the user. */
export interface Verdict {
  readonly errors: readonly FieldError[];
  readonly warnings: readonly string[];
}

/** Nothing to say. */
export const FINE: Verdict = { errors: [], warnings: [] };

const LISTED = 20;
const MAX_MESSAGE = 500;
/** The API server cuts a warning that is longer when all of them are too long. */
const MAX_WARNING = 256;

/** The answer. A refusal is an API error like that of a schema: reason Invalid, one cause per field. */
export function toResponse({ uid, kind, name }: AdmissionRequest, { errors, warnings }: Verdict): object {
  const said = warnings.slice(0, LISTED).map((warning) => shortened(oneLine(warning), MAX_WARNING));
  const causes = errors.slice(0, LISTED).map(({ field, message }) => ({
    reason: "FieldValueInvalid",
    field,
    message: shortened(oneLine(message), MAX_MESSAGE),
  }));
  const list = causes.map(({ field, message }) => `${field}: ${message}`);
  if (errors.length > LISTED) list.push(`and ${errors.length - LISTED} more`);
  const status = {
    status: "Failure",
    reason: "Invalid",
    code: 422,
    message: list.join("; "),
    details: { name, group: kind.group, kind: kind.kind, causes },
  };
  const allowed = errors.length === 0;
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed, ...(said.length === 0 ? {} : { warnings: said }), ...(allowed ? {} : { status }) },
  };
}

/** Warnings travel in HTTP headers. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
