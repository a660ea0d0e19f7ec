import { lauxlib, lua, lualib, to_luastring } from "fengari";

/** What Argo CD shows of a resource. */
export interface ArgoHealth {
  readonly status: string;
  readonly message: string;
}

/** Runs a health script as Argo CD does: the resource is `obj`, the result a table with status and message. */
export function argoHealth(script: string, resource: object): ArgoHealth {
  const state = lauxlib.luaL_newstate();
  lualib.luaL_openlibs(state);
  const text = `local obj = ${toLua(JSON.parse(JSON.stringify(resource)))}
local health = (function() ${script}
end)()
return health.status, health.message or ""`;
  const loaded = lauxlib.luaL_loadstring(state, to_luastring(text));
  const ended = loaded === lua.LUA_OK ? lua.lua_pcall(state, 0, 2, 0) : loaded;
  if (ended !== lua.LUA_OK) throw new Error(lua.lua_tojsstring(state, -1));
  return { status: lua.lua_tojsstring(state, -2), message: lua.lua_tojsstring(state, -1) };
}

/** A JSON value as a Lua expression. */
function toLua(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (Array.isArray(value)) return `{${value.map(toLua).join(", ")}}`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([key, member]) => `[${toLua(key)}] = ${toLua(member)}`)}}`;
  }
  return typeof value === "string" ? quoted(value) : String(value);
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"\n\r\0]/g, (character) => `\\${character.charCodeAt(0).toString().padStart(3, "0")}`)}"`;
}
