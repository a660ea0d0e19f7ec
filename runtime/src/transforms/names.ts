import { config as key } from "@headrace/sdk";

/**
 * A list of names: none of them empty, none twice, and at least one unless `mayBeEmpty`.
 * Source: org.apache.kafka.common.config.ConfigDef.ValidList.anyNonDuplicateValues.
 */
export function names(mayBeEmpty = false) {
  return key.list().superRefine((items, context) => {
    if (items.length === 0 && !mayBeEmpty) context.addIssue("must not be empty");
    if (items.includes("")) context.addIssue("values must not be empty");
    if (new Set(items).size !== items.length) context.addIssue("values must not be duplicated");
  });
}
