/** What the tests use of fengari, a Lua machine in JavaScript that comes without types. */
declare module "fengari" {
  interface LuaState {
    readonly isLuaState: true;
  }
  export const lua: {
    readonly LUA_OK: number;
    lua_pcall(state: LuaState, args: number, results: number, handler: number): number;
    lua_tojsstring(state: LuaState, index: number): string;
  };
  export const lauxlib: {
    luaL_newstate(): LuaState;
    luaL_loadstring(state: LuaState, text: Uint8Array): number;
  };
  export const lualib: { luaL_openlibs(state: LuaState): void };
  export function to_luastring(text: string): Uint8Array;
}
