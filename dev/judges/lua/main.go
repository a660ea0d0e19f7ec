// Runs Lua scripts as Argo CD does: the same engine (gopher-lua), the resource in the global `obj`, the result as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	"headrace.dev/judges/answering"
	luajson "layeh.com/gopher-json"
)

type request struct {
	Script string          `json:"script"`
	Object json.RawMessage `json:"object"`
}

func main() {
	answering.Serve(run)
}

func run(asked request) (any, error) {
	// What a script of a user has there: no libraries but these, and of os only time and date.
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
		lua.OsLibName:   openSafeOs,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, func(l *lua.LState) int { l.Push(safeOs(l)); return 1 })
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	state.SetContext(limit)
	object, err := luajson.Decode(state, asked.Object)
	if err != nil {
		return nil, err
	}
	state.SetGlobal("obj", object)
	state.SetGlobal("actionParams", state.NewTable())
	if err := state.DoString(asked.Script); err != nil {
		return nil, fmt.Errorf("%s", strings.SplitN(err.Error(), "\nstack traceback:", 2)[0])
	}
	result, err := luajson.Encode(state.Get(-1))
	return json.RawMessage(result), err
}

func openSafeOs(l *lua.LState) int {
	l.SetGlobal(lua.OsLibName, safeOs(l))
	return 0
}

// Always the same moment, the one that Argo CD's own tests put into results.
func safeOs(l *lua.LState) *lua.LTable {
	moment := time.Time{}
	return l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"time": func(l *lua.LState) int { l.Push(lua.LNumber(moment.Unix())); return 1 },
		"date": func(l *lua.LState) int {
			if l.OptString(1, "") != "!%Y-%m-%dT%XZ" {
				l.RaiseError("this date format is not known here")
			}
			l.Push(lua.LString(moment.Format("2006-01-02T15:04:05Z")))
			return 1
		},
	})
}
