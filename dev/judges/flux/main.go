// Judges resources by health check expressions as Flux does: its own evaluator (github.com/fluxcd/pkg/runtime/cel, RFC 0009).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type request struct {
	Expressions kustomize.HealthCheckExpressions `json:"expressions"`
	Object      json.RawMessage                  `json:"object"`
}

type answer struct {
	Result string `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
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
		given, err := judge(asked)
		if err != nil {
			given = answer{Error: err.Error()}
		}
		if err := answers.Encode(given); err != nil {
			panic(err)
		}
	}
}

func judge(asked request) (answer, error) {
	evaluator, err := cel.NewStatusEvaluator(&asked.Expressions)
	if err != nil {
		return answer{}, err
	}
	// Numbers as the Kubernetes client decodes them.
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(asked.Object); err != nil {
		return answer{}, err
	}
	found, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return answer{}, err
	}
	return answer{Result: found.Status.String()}, nil
}
