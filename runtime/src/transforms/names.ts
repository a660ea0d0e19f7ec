import { config as key } from "@headrace/sdk";

/**
 * A list of names: none of them empty, and at least one unless `mayBeEmpty`. A name that is there twice counts once.
 * Source: org.apache.kafka.common.config.ConfigDef.ValidList.anyNonDuplicateValues.
 */
export function names(mayBeEmpty = false) {
  return unique().superRefine((items, context) => {
    if (items.length === 0 && !mayBeEmpty) context.addIssue("must not be empty");
    if (items.includes("")) context.addIssue("values must not be empty");
  });
}

const unique = () =>
  key
    .list()
    .transform((items): readonly string[] => [...new Set(items)])
    .meta({ configType: "LIST" });
