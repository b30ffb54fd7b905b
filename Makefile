# ImageSync: what a person and CI do with this clone. `make help` lists it.
#
# On a bare Debian machine `make test` needs cargo (rustup), and Go where Debian has only one older than 1.21; everything else it
# installs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build tools fmt fmt-check lint deny doc unit test soak bench fuzz demo crds clean requirements rustfmt clippy

cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/imagesync-testbed
install := tests/testbed/install.sh
say = @echo "== $(1)"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: requirements ## the release binary, target/release/imagesync
	cargo build --locked --release

test: requirements tools fmt-check lint deny doc unit ## everything that CI checks; installs what it needs

unit: requirements ## the tests and the documentation's examples alone
	$(call say,tests)
	IMAGESYNC_KILLS=$(or $(KILLS),200) cargo test --locked --no-fail-fast
	$(call say,a hundred thousand histories of pruning)
	cargo test --locked --lib -- --ignored prune::tests::walk

fmt: rustfmt ## write the code in the one format
	cargo fmt

fmt-check: rustfmt
	$(call say,format)
	cargo fmt --check

lint: clippy ## clippy on all that compiles; a warning is an error
	$(call say,clippy)
	cargo clippy --locked --all-targets -- -D warnings

deny: requirements ## licences, banned crates, sources; advisories where their database can be reached
	@$(install) deny
	$(call say,dependencies)
	$(cache)/bin/cargo-deny --locked --log-level error check --allow duplicate licenses bans sources
	@if timeout 60 $(cache)/bin/cargo-deny --log-level off fetch db >/dev/null 2>&1; \
	then $(cache)/bin/cargo-deny --locked check --disable-fetch advisories; \
	else echo "advisories: their database cannot be reached from here, so they are not checked"; fi

doc: requirements ## the documentation; a broken link is an error
	$(call say,documentation)
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

tools: ## the registries and tools that tests and benchmarks run, in a cache outside this clone
	@$(install) debian registries signing cluster

soak: requirements tools ## for DURATION=600 seconds: tags move, registries fail, runs die; then KILLS=2000 runs and more are killed
	$(call say,soak)
	IMAGESYNC_SOAK=$(or $(DURATION),600) cargo test --locked --test it -- --ignored --nocapture soak
	IMAGESYNC_KILLS=$(or $(KILLS),2000) cargo test --locked --test it -- kill

bench: requirements ## beside regsync, crane and skopeo: BENCH=cold (default: all), RUNS=5, WRITE=docs/benchmarks.md
	@$(install) debian registries
	$(call say,benchmarks)
	cargo bench --locked --bench peers -- $(BENCH) $(if $(RUNS),--runs $(RUNS)) $(if $(WRITE),--write $(abspath $(WRITE)))

fuzz: ## each fuzz target for DURATION=60 seconds; needs `rustup toolchain install nightly`
	@$(install) fuzz
	$(call say,fuzz targets)
	for target in reference challenge manifest listing; do \
		RUSTUP_TOOLCHAIN=nightly $(cache)/bin/cargo-fuzz run --fuzz-dir fuzz $$target -- -max_total_time=$(or $(DURATION),60); \
	done

demo: ## two registries on this machine, and images kept in sync between them
	@demo/run.sh

crds: requirements ## write crds/ from the types in src/api
	cargo run --locked --quiet -- crds > crds/imagesync.dev.yaml

clean: ## remove what was built here; the cache outside stays
	cargo clean

requirements:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust with rustup (rustup.rs); rust-toolchain.toml names the version" >&2; exit 1; }

rustfmt: requirements
	@cargo fmt --version >/dev/null 2>&1 || { echo "rustfmt is missing: rustup component add rustfmt" >&2; exit 1; }

clippy: requirements
	@cargo clippy --version >/dev/null 2>&1 || { echo "clippy is missing: rustup component add clippy" >&2; exit 1; }
