// Package answering is how a judge is asked many times without being started anew.
package answering

import (
	"encoding/json"
	"fmt"
	"os"
)

type answer struct {
	Result any    `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Serve reads one request a line from standard input and writes one answer a line to standard output, until the input ends.
// What is no request ends the program with 1.
func Serve[Request any](judge func(Request) (any, error)) {
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	decoder := json.NewDecoder(os.Stdin)
	for decoder.More() {
		var asked Request
		if err := decoder.Decode(&asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		result, err := judge(asked)
		given := answer{Result: result}
		if err != nil {
			given = answer{Error: err.Error()}
		}
		if err := answers.Encode(given); err != nil {
			panic(err)
		}
	}
}
