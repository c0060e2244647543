# The commands of the project. `make test` is all that a change must pass besides the lints in .ci/run.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

.PHONY: help setup test ui-check lint bench crash property fuzz promqltest demo

help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: ## Installs what the tests need besides cargo, Node and npm
	scripts/setup "$(TARGET)"

test: setup ui-check ## Every test: units, the real server, real SDKs, crashes, the UI
	THROUGHLINE_SDK_PYTHON="$(abspath $(TARGET))/sdk-python/bin/python" cargo test --workspace --no-fail-fast
	scripts/fuzz seconds 60

ui-check: ## Lint, type check and tests of the UI
	cd ui && npm ci --no-audit --no-fund && npm run check

lint: ## clippy and rustfmt
	cargo clippy --workspace --all-targets -- -D warnings
	cargo fmt --all --check

bench: export BENCH_LOAD_DIR ?= $(abspath $(TARGET))/load-data
bench: export SEGMENTS_LOAD_DIR ?= $(BENCH_LOAD_DIR)
bench: export BENCH_PYTHON ?= $(abspath $(TARGET))/bench-python/bin/python
bench: ## The load of ../shared/load on the release binary beside DuckDB, and the micro-benchmarks
	scripts/setup-yardstick "$(TARGET)"
	cargo bench -p throughline --bench load
	cargo bench -p throughline --bench segments
	cargo bench -p throughline -p throughline-storage --bench metrics
	cargo bench -p throughline -p throughline-ingest --bench decode
	cargo bench -p throughline -p throughline-model --bench templates

crash: ## 1 000 cycles of kill -9 under load (set CRASH_CYCLES for another number)
	CRASH_CYCLES=$${CRASH_CYCLES:-1000} cargo test --test it -- crash --nocapture

promqltest: export THROUGHLINE_PROMQLTEST_DIR = $(abspath $(DIR))
promqltest: ## Files in Prometheus's test language over the real store: make promqltest DIR=folder
	cargo test -p throughline-query --test it -- promql::prometheus_files --exact --nocapture

property: ## Random rows and questions before and after flush, compaction, restart (PROPERTY_CASES)
	PROPERTY_CASES=$${PROPERTY_CASES:-200} cargo test -p throughline-query --test it -- property --nocapture

fuzz: ## cargo-fuzz on every decoder, 10 million inputs (set FUZZ_INPUTS for another number)
	scripts/fuzz inputs $${FUZZ_INPUTS:-10000000}

demo: ## A simulated web shop, live
	cargo run --release -- demo
