export * from "./rest/connect.ts";
export * from "./rest/headrace.ts";
