// Judges resources by health check expressions as Flux does: its own evaluator (github.com/fluxcd/pkg/runtime/cel, RFC 0009).
package main

import (
	"context"
	"encoding/json"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"headrace.dev/judges/answering"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type request struct {
	Expressions kustomize.HealthCheckExpressions `json:"expressions"`
	Object      json.RawMessage                  `json:"object"`
}

func main() {
	answering.Serve(judge)
}

func judge(asked request) (any, error) {
	evaluator, err := cel.NewStatusEvaluator(&asked.Expressions)
	if err != nil {
		return nil, err
	}
	// Numbers as the Kubernetes client decodes them.
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(asked.Object); err != nil {
		return nil, err
	}
	found, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return nil, err
	}
	return found.Status.String(), nil
}
