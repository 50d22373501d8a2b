# The front door. `make` lists what there is.

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR

STEP := scripts/step
# What `make bench` runs; `make bench BENCH=--quick` shows in a minute that it works.
BENCH ?= --report docs/performance.md
# Node comes from the suites' own environment when the machine has none, or an old one.
WITH_NODE := PATH="$(CURDIR)/e2e/.venv/bin:$$PATH"
INSTALLED := e2e/.venv/.installed e2e/node_modules/.installed \
  examples/broadcast-node/node_modules/.installed examples/chat/node_modules/.installed
# Where `make run` writes addresses and connection strings, and `make demo` finds them.
READY := .tidings/ready.json

# `make instructions COUNT=record` after a change that is worth its instructions.
COUNT ?= compare

.PHONY: help run demo test check bench bench-smoke instructions rust-checks e2e install system-packages
.NOTPARALLEL:
.DELETE_ON_ERROR:

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build the release binary and start a development server
	@$(STEP) "release build" cargo build --release --locked -p tidings
	@mkdir -p -m 700 .tidings
	@exec "$(CARGO_TARGET_DIR)/release/tidings" dev --ready-file $(READY)

demo: ## two people chat in the browser, against the server of `make run`
demo: system-packages examples/chat/node_modules/.installed
	@exec env $(WITH_NODE) scripts/demo $(READY)

test: ## everything that CI runs, installing what it needs first
test: install rust-checks
	@$(STEP) "cargo test" scripts/with-postgres cargo test --workspace --locked --no-fail-fast
	@$(MAKE) --no-print-directory e2e bench-smoke

check: ## the quick checks: format, lints, structure; cargo-deny and fuzzers where installed
check: rust-checks
	@$(STEP) "structure" cargo test --locked -p xtask
	@scripts/optional-checks

e2e: ## official SDKs and a real browser against the debug build
e2e: install
	@$(STEP) "debug build" cargo build --locked -p tidings
	@$(STEP) "end-to-end suites" scripts/with-postgres env $(WITH_NODE) npm --prefix e2e test

bench: ## measure against peers and the machine's limit; writes docs/performance.md
	@$(STEP) "release build" cargo build --release --locked -p tidings
	@$(STEP) "bench build" cargo build --release --locked --manifest-path bench/Cargo.toml
	@$(STEP) "peers" scripts/install-peers
	@$(STEP) "bench" "$(CARGO_TARGET_DIR)/release/tidings-bench" \
	  --tidings "$(CARGO_TARGET_DIR)/release/tidings" $(BENCH)

bench-smoke: ## a minute of the bench with debug builds, to see that it still works
	@$(STEP) "debug build" cargo build --locked -p tidings
	@$(STEP) "bench debug build" cargo build --locked --manifest-path bench/Cargo.toml
	@$(STEP) "bench, quick" "$(CARGO_TARGET_DIR)/debug/tidings-bench" --quick \
	  --tidings "$(CARGO_TARGET_DIR)/debug/tidings" --targets "write limit,batch limit,tidings"

instructions: ## count instructions of the hot path (valgrind) and compare with bench/instructions.txt
	@$(STEP) "release build" cargo build --release --locked -p tidings
	@$(STEP) "bench build" cargo build --release --locked --manifest-path bench/Cargo.toml
	@$(STEP) "instructions" "$(CARGO_TARGET_DIR)/release/tidings-bench" --count $(COUNT) \
	  --tidings "$(CARGO_TARGET_DIR)/release/tidings"

rust-checks:
	@$(STEP) "format" cargo fmt --all --check
	@$(STEP) "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(STEP) "lints of bench" cargo clippy --manifest-path bench/Cargo.toml --all-targets --locked \
	  -- -D warnings

install: system-packages $(INSTALLED)

system-packages:
	@$(STEP) "system packages" scripts/install-system-packages

e2e/.venv/.installed: e2e/requirements.txt e2e/requirements-node.txt
	@$(STEP) "Python packages" scripts/install-python-packages
	@touch $@

%/node_modules/.installed: %/package-lock.json e2e/.venv/.installed
	@$(STEP) "npm packages of $*" env $(WITH_NODE) npm --prefix $* ci --ignore-scripts
	@touch $@
