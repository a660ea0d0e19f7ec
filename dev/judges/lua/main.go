// Runs Lua scripts as Argo CD does: the same engine (gopher-lua), the resource in the global `obj`, the result as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

type request struct {
	Script string          `json:"script"`
	Object json.RawMessage `json:"object"`
}

type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// Reads one request a line from standard input, writes one answer a line to standard output.
func main() {
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	decoder := json.NewDecoder(os.Stdin)
	for decoder.More() {
		var asked request
		if err := decoder.Decode(&asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		result, err := run(asked)
		if err != nil {
			result = answer{Error: err.Error()}
		}
		if err := answers.Encode(result); err != nil {
			panic(err)
		}
	}
}

func run(asked request) (answer, error) {
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
			return answer{}, err
		}
	}
	state.PreloadModule(lua.OsLibName, func(l *lua.LState) int { l.Push(safeOs(l)); return 1 })
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	state.SetContext(limit)
	object, err := luajson.Decode(state, asked.Object)
	if err != nil {
		return answer{}, err
	}
	state.SetGlobal("obj", object)
	state.SetGlobal("actionParams", state.NewTable())
	if err := state.DoString(asked.Script); err != nil {
		return answer{}, fmt.Errorf("%s", strings.SplitN(err.Error(), "\nstack traceback:", 2)[0])
	}
	result, err := luajson.Encode(state.Get(-1))
	return answer{Result: result}, err
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
