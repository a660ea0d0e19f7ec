// Checks an OLM bundle with the validators that operator-sdk and OperatorHub.io's pipelines run.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
)

type finding struct {
	Level  string `json:"level"`
	Type   string `json:"type"`
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail"`
}

// Usage: olm BUNDLE. Writes every finding to standard output as one JSON list; exits 1 if it could not read the bundle.
func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: olm BUNDLE")
		os.Exit(2)
	}
	bundle, err := manifests.GetBundleFromDir(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	validators := validation.DefaultBundleValidators.WithValidators(
		validation.OperatorHubV2Validator,
		validation.StandardCapabilitiesValidator,
		validation.StandardCategoriesValidator,
		validation.GoodPracticesValidator,
		validation.AlphaDeprecatedAPIsValidator,
	)
	objects := bundle.ObjectsToValidate()
	for _, object := range bundle.Objects {
		objects = append(objects, object)
	}
	found := []finding{}
	for _, result := range validators.Validate(objects...) {
		for _, one := range append(result.Errors, result.Warnings...) {
			found = append(found, finding{string(one.Level), string(one.Type), one.Field, one.Detail})
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		panic(err)
	}
}
