/** A rule in CEL for what a schema cannot say, as CustomResourceDefinitions have it. */
export interface Rule {
  readonly rule: string;
  /** One sentence for the user: what would be right. */
  readonly message: string;
  /** The field that the message is about, below the node that has the rule: `.topologyKey`. */
  readonly fieldPath?: string;
  readonly reason?: "FieldValueForbidden" | "FieldValueInvalid" | "FieldValueRequired";
}

/** Metadata that attaches rules to a schema's node. */
export function rules(...list: readonly Rule[]) {
  return { "x-kubernetes-validations": list };
}

/** `field` must be there when `type` is one of `types`. */
export function requiredFor(types: readonly string[], field: string): Rule {
  return {
    rule: `!(self.type in [${types.map((type) => `'${type}'`).join(", ")}]) || has(self.${field})`,
    message: `${field} is required when type is ${types.join(" or ")}`,
    reason: "FieldValueRequired",
  };
}

/** `field` must not be there unless `type` is one of `types`. */
export function onlyFor(types: readonly string[], field: string): Rule {
  return {
    rule: `self.type in [${types.map((type) => `'${type}'`).join(", ")}] || !has(self.${field})`,
    message: `${field} can be given only when type is ${types.join(" or ")}`,
    reason: "FieldValueForbidden",
  };
}

/** Exactly one of the fields must be there. */
export function exactlyOneOf(...fields: readonly string[]): Rule {
  const [first = "", second = ""] = fields;
  const given = fields.map((field) => `has(self.${field})`);
  return {
    rule: fields.length === 2 ? given.join(" != ") : `[${given.join(", ")}].exists_one(given, given)`,
    message:
      fields.length === 2
        ? `give either ${first} or ${second}, and not both`
        : `give exactly one of ${fields.slice(0, -1).join(", ")} and ${fields.at(-1)}`,
  };
}
