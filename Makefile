# The two commands: `make demo` and `make test`. The rest is for those who work on Fournil.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The build cache lives outside the clone, so that a fresh clone starts warm.
export CARGO_TARGET_DIR ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/fournil/target
export FOURNIL_STATE ?= $(CURDIR)/.state

.PHONY: help demo demo-reset demo-check test setup-test fmt lint bench sim mutants chaos fuzz test-usb sqlx sqlx-check screenshots audit

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 16

demo: ## Build and run the whole system with simulated devices (Ctrl-C stops it)
	@deploy/setup/install.sh demo
	@deploy/demo/demo.sh run

demo-reset: ## Forget everything the demonstration kept
	@deploy/demo/demo.sh reset

demo-check: ## Start, stop, resume and forget a demonstration of its own
	@deploy/setup/install.sh demo
	@cargo build --quiet --workspace --bins
	@deploy/demo/check.sh

test: setup-test ## Format, lints, unit, database, end-to-end and browser tests
	@deploy/setup/test.sh

setup-test:
	@deploy/setup/install.sh test

fmt: ## Check the format
	cargo fmt --all -- --check

lint: ## Clippy, warnings as errors
	cargo clippy --workspace --all-targets --all-features -- -D warnings

bench: setup-test ## The figures of the README, as ratios to this machine's own baseline
	@deploy/setup/bench.sh

sim: setup-test ## Seeded fault schedules in virtual time; SCHEDULES=10000 FIRST=1, or SEED=n to replay one
	@deploy/setup/sim.sh

mutants: setup-test ## Break each guarantee in a copy; the simulation must go red for each
	@deploy/setup/mutants.sh

chaos: setup-test ## Break everything for CHAOS_SECONDS (1800), then check the books
	@cargo build --quiet --workspace --bins
	CHAOS_SECONDS=$${CHAOS_SECONDS:-1800} cargo test --quiet -p fournil-tests --test chaos -- --nocapture

test-usb: setup-test ## A simulated USB printer in a kernel of its own (QEMU), with its faults
	@deploy/setup/usb.sh

fuzz: ## Any bytes into every decoder; FUZZ_SECONDS=60 for each by default
	@deploy/setup/fuzz.sh

sqlx: setup-test ## Make .sqlx again from a freshly migrated database
	@deploy/setup/sqlx.sh write

sqlx-check: setup-test ## Fail when .sqlx is not what a fresh database gives
	@deploy/setup/sqlx.sh check

audit: ## Advisories, licences, duplicates (fetches cargo-deny and its database)
	@deploy/setup/audit.sh

screenshots: setup-test ## Make the pictures of the README again
	@deploy/setup/screenshots.sh
