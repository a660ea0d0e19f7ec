import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { toTopicPattern } from "#runtime/kafka/native-topic-pattern.ts";

/** Whether regcomp(3) and regexec(3) match, as librdkafka does; grep -E is the same engine. */
function matches(pattern: string, topic: string): boolean {
  try {
    execFileSync("grep", ["-E", "-q", "-e", pattern], { input: `${topic}\n`, env: { LC_ALL: "C" } });
    return true;
  } catch {
    return false;
  }
}

describe("toTopicPattern", () => {
  const cases: readonly (readonly [regex: string, matching: readonly string[], others: readonly string[]])[] = [
    ["orders", ["orders"], ["orders2", "my-orders"]],
    ["orders|returns", ["orders", "returns"], ["orders-returns", "xreturns"]],
    ["orders-.*", ["orders-", "orders-1"], ["orders", "x-orders-1"]],
    ["a\\.b", ["a.b"], ["axb"]],
    ["t\\d+", ["t1", "t23"], ["t", "tx", "t1x"]],
    ["t\\D", ["tx"], ["t1"]],
    ["\\w+", ["a_B9"], ["a-b"]],
    ["[\\w.-]+", ["a_B9.x-y"], ["a b", "a:b"]],
    ["[^.]+\\.[a-c]", ["x.a", "x-y.c"], ["x.d", "x.y.a"]],
    ["[-a]+", ["a-a"], ["b"]],
    ["[a-]+", ["a-a"], ["b"]],
    ["[a\\-z]+", ["a-z"], ["b"]],
    ["[\\^a]+", ["^a"], ["b"]],
    ["[\\^]", ["^"], ["b", "a"]],
    ["[a\\]b]+", ["a]b"], ["c"]],
    ["[^\\d]+", ["ab"], ["a1"]],
    ["(?:a|b)c", ["ac", "bc"], ["a", "c"]],
    ["(?<name>a)b", ["ab"], ["b"]],
    ["a{2,3}", ["aa", "aaa"], ["a", "aaaa"]],
    ["a{2}?b*?", ["aa", "aab"], ["a"]],
    ["\\Qa.b*\\Ec", ["a.b*c"], ["axbc"]],
    ["\\Qa.b", ["a.b"], ["axb"]],
    ["a\\+b", ["a+b"], ["aab"]],
  ];
  for (const [regex, matching, others] of cases) {
    it(`matches the whole name as Java does: ${regex}`, () => {
      const pattern = toTopicPattern(regex);
      assert.match(pattern, /^\^\(.*\)\$$/);
      for (const topic of matching) assert.ok(matches(pattern, topic), `${pattern} must match ${topic}`);
      for (const topic of others) assert.ok(!matches(pattern, topic), `${pattern} must not match ${topic}`);
    });
  }

  for (const regex of [
    "(?!a)b",
    "(?=a)",
    "(?<!a)b",
    "(?i)a",
    "(a)\\1",
    "\\bword",
    "\\p{Alpha}",
    "a*+",
    "a{2}+",
    "[a&&[b]]",
    "[a[b]]",
    "[a",
    "a\\",
    "\\t",
  ]) {
    it(`says what it cannot translate: ${regex}`, () => {
      assert.throws(() => toTopicPattern(regex), {
        code: "config-invalid",
        message: /^topics\.regex .* cannot be used here$/,
      });
    });
  }
});
