# Thin: what is worth knowing is in the commands themselves, and in tests/.
#
#   make run     build the exporter, show what chaos is on this host now, then watch it and serve that
#   make test    as root: install what the tests need, then lint, fuzz and test everything
#   make lint    rustfmt and clippy, warnings are errors
#   make fuzz    every byte parser, FUZZ_SECONDS each (60)
#   make bench   the figures of the README's "How fast"
#   make dist    static binaries and their archives in dist/: the exporter, and the Grafana plugin (for arm64 too where a cross compiler is there)

SHELL := /bin/bash
FUZZ_SECONDS ?= 60
version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
triple := $(shell uname -m)-unknown-linux-gnu
archive := chaoscope-$(version)-linux-$(shell uname -m)
built = $${CARGO_TARGET_DIR:-target}
goarch := $(subst aarch64,arm64,$(subst x86_64,amd64,$(shell uname -m)))
arm := aarch64-unknown-linux-gnu

.PHONY: run test lint fuzz bench dist

run:
	cargo build --release --locked -p chaoscope
	@binary=$${CARGO_TARGET_DIR:-target}/release/chaoscope; \
	$$binary snapshot && echo && exec $$binary standalone

# Each part runs whatever the others said, and cargo's own summary comes last.
test:
	@tests/install.sh
	@failed=; \
	if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; \
	then make --no-print-directory lint || failed=lint; \
	else echo 'make test: lint is left out, this Rust has no rustfmt or no clippy'; fi; \
	if [ -e tests/fuzz.sh ]; then make --no-print-directory fuzz FUZZ_SECONDS=5 || failed="$$failed fuzz"; fi; \
	CHAOSCOPE_TEST_REAL=1 cargo test --workspace --locked --no-fail-fast -- --include-ignored || failed="$$failed tests"; \
	[ -z "$$failed" ] || { echo "make test: failed: $$failed" >&2; exit 1; }

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

fuzz:
	tests/fuzz.sh $(FUZZ_SECONDS)

bench:
	cargo bench --locked -p chaoscope
	RUSTFLAGS='-C target-feature=+crt-static' cargo bench --locked -p chaoscope-datasource --target $(triple)

dist:
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked -p chaoscope -p chaoscope-datasource --target $(triple)
	rm -rf dist/$(archive) && mkdir -p dist/$(archive)
	cp $(built)/$(triple)/release/chaoscope LICENSE README.md CHANGELOG.md dist/$(archive)/
	tar -C dist -czf dist/$(archive).tar.gz --owner=0 --group=0 $(archive)
	cd datasource && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@binaries=linux_$(goarch)=$(built)/$(triple)/release/gpx_chaoscope; \
	if [ $(goarch) = amd64 ] && command -v aarch64-linux-gnu-gcc >/dev/null && [ -d "$$(rustc --print target-libdir --target $(arm))" ]; then \
	  RUSTFLAGS='-C target-feature=+crt-static -C linker=aarch64-linux-gnu-gcc' cargo build --release --locked -p chaoscope-datasource --target $(arm) || exit 1; \
	  binaries="$$binaries linux_arm64=$(built)/$(arm)/release/gpx_chaoscope"; \
	else echo 'make dist: no plugin for the other architecture (that needs aarch64-linux-gnu-gcc and rustup target add $(arm))'; fi; \
	datasource/pack.sh dist $$binaries
