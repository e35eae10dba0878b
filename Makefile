# The two commands are `make serve` and `make test`. Each installs what is missing (system packages, a virtual
# environment in .venv, the locked dependencies), builds the engine in place and runs; a second run starts at once.
#
#   make serve [ARGS="--metrics 127.0.0.1:9999"]   the service with its default policy
#   make test                                      lint, the kernels in a debug build, the whole suite
#   make test-long                                 the long form of the suite
#   make fuzz [RUNS=10000000]                      coverage-guided fuzzing of whatever reads bytes from outside
#   make sanitize, make sanitize-threads           tests under the compilers' sanitizers
#   make PYTHON=/usr/bin/python3.12 ...            another interpreter (3.11 or newer), for a .venv not yet made

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

PYTHON ?= python3
ARGS ?=
RUNS ?= 200000

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements-dev.lock
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
APT := DEBIAN_FRONTEND=noninteractive apt-get
STAMP := build/stamps
# At nice 15, what steps back behind the calls in the services (nice 19) has its turn beside the tests of the others: it
# has a fifteenth of it, and waits for seconds, beside those at nice 0.
BESIDE := nice -n 15
# Four on two cores, as much is waited for. A file's tests stay together, for their services' sake. After a crashed
# worker xdist would wait for ever: it ends.
SIDE_BY_SIDE := --numprocesses 4 --dist loadfile --max-worker-restart 0
# A test that hangs says where, and ends the run: a red one is of more use than one that never comes to its end.
NO_HANGING := --override-ini faulthandler_exit_on_timeout=true

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
# Each start would compile our modules again, and each test process the tests.
unexport PYTHONDONTWRITEBYTECODE

KERNELS := $(wildcard interceptor/*/*.pyx interceptor/*/*.pxd)

# ------------------------------------------------------------------------------------------------- installing

# A compiler, Python's headers and venv module, and what the data plane is built with, where they are missing.
$(STAMP)/system: Makefile
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not there: install Python 3.11 or newer, or say make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: $$($(PYTHON) --version) is too old: say make PYTHON=... with 3.11 or newer"; exit 1; }
	@version=$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); missing=; \
	command -v gcc >/dev/null && command -v g++ >/dev/null || missing+=" gcc g++ libc6-dev"; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing+=" $$version-venv"; \
	$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' \
		|| missing+=" $$version-dev"; \
	command -v pkg-config >/dev/null || missing+=" pkg-config"; \
	for library in libnghttp2:libnghttp2-dev openssl:libssl-dev; do \
		pkg-config --exists $${library%:*} 2>/dev/null || missing+=" $${library#*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
		command -v apt-get >/dev/null || { echo "make: install these first:$$missing"; exit 1; }; \
		echo "installing$$missing"; \
		$(SUDO) $(APT) update -qq && $(SUDO) $(APT) install -qq -y --no-install-recommends $$missing >/dev/null; \
	fi
	@mkdir -p $(@D) && touch $@

$(BIN)/python: | $(STAMP)/system
	$(PYTHON) -m venv $(VENV)

# Python compiles what is used of it, when it is used.
$(VENV)/locked: $(LOCK) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --only-binary :all: -r $(LOCK)
	@touch $@

# promtool checks our metrics and alert rules, and a Prometheus looks at a service under load. Both are taken out of
# Debian's package, whose service would start otherwise.
$(BIN)/promtool $(BIN)/prometheus &: | $(BIN)/python $(STAMP)/tools
	@export PATH="$${PATH#*:}"; \
	if command -v promtool >/dev/null && command -v prometheus >/dev/null; then \
		ln -sf "$$(command -v promtool)" "$$(command -v prometheus)" $(CURDIR)/$(BIN)/; \
	elif command -v apt-get >/dev/null; then \
		echo "fetching promtool and prometheus"; rm -rf build/prometheus; mkdir -p build/prometheus; cd build/prometheus; \
		$(APT) download -qq prometheus 2>/dev/null \
			|| { $(SUDO) $(APT) update -qq; $(APT) download -qq prometheus; }; \
		dpkg-deb -x prometheus_*.deb .; mv usr/bin/promtool usr/bin/prometheus $(CURDIR)/$(BIN)/; rm -rf $(CURDIR)/build/prometheus; \
	else echo "make: no promtool and no prometheus here: their tests are skipped"; fi

# What tests and benchmarks use beside us: certificates are made with openssl, h2load asks besides our own generator, and
# resolvers load our policy zones, PostgreSQL keeps a store, Redis takes events, Kamailio asks about SIPp's calls (not where
# installing them would start them as services: their tests are skipped there).
$(STAMP)/tools: Makefile | $(STAMP)/system
	@missing=; command -v openssl >/dev/null || missing+=" openssl"; command -v h2load >/dev/null || missing+=" nghttp2-client"; \
	if [ ! -d /run/systemd/system ]; then \
		command -v valkey-server >/dev/null || command -v redis-server >/dev/null || missing+=" redis-server"; \
		command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=" postgresql"; \
		PATH=$$PATH:/usr/sbin; for program in unbound:unbound named:bind9 kamailio:kamailio sipp:sip-tester; do \
			command -v $${program%:*} >/dev/null || missing+=" $${program#*:}"; \
		done; \
		ls /usr/lib/*/kamailio/modules/app_python3.so >/dev/null 2>&1 || missing+=" kamailio-python3-modules"; \
	fi; \
	if [ -n "$$missing" ] && command -v apt-get >/dev/null; then \
		echo "installing$$missing"; \
		$(SUDO) $(APT) update -qq && $(SUDO) $(APT) install -qq -y --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then echo "make: install these for all tests and benchmarks:$$missing"; fi
	@mkdir -p $(@D) && touch $@

# ------------------------------------------------------------------------------------------------- building

.PHONY: build
build: $(STAMP)/built

$(STAMP)/built: setup.py pyproject.toml $(KERNELS) $(VENV)/installed
	$(BIN)/python setup.py --quiet build_ext --inplace --parallel 2
	@mkdir -p $(@D) && touch $@

# The tree itself, and the command `interceptor`. pip would compile the kernels a second time, in a directory of its own.
$(VENV)/installed: pyproject.toml $(VENV)/locked
	INTERCEPTOR_KERNELS=0 $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# The generated code is committed: `make proto` after every change under proto/.
.PHONY: proto
proto: $(VENV)/locked
	$(BIN)/python proto/generate.py

# So are the dashboards: after a change under interceptor/integrations/grafana/.
.PHONY: dashboards
dashboards: $(VENV)/installed
	$(BIN)/python -m interceptor.integrations.grafana.generate

# ------------------------------------------------------------------------------------------------- running

.PHONY: serve
serve: build
	$(BIN)/interceptor serve $(ARGS)

.PHONY: lint
lint: $(VENV)/locked
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/cython-lint interceptor
	$(BIN)/mypy
	$(BIN)/buf lint proto
	$(BIN)/buf format --diff --exit-code proto

.PHONY: test
test: prepared
	$(MAKE) --no-print-directory debug
	$(BESIDE) $(BIN)/pytest $(SIDE_BY_SIDE) $(NO_HANGING)

# Beside each other, as much of it keeps one core busy, or none.
.PHONY: prepared
prepared:
	$(MAKE) --no-print-directory --jobs 2 build checked lint $(BIN)/prometheus $(STAMP)/tools

.PHONY: test-long
test-long: prepared
	$(MAKE) --no-print-directory debug
	$(BESIDE) $(BIN)/pytest $(SIDE_BY_SIDE) --long

# Bounds checks and the kernels' own asserts on.
.PHONY: checked
checked: $(VENV)/installed
	INTERCEPTOR_DEBUG=1 INTERCEPTOR_KERNELS=engine \
		$(BIN)/python setup.py --quiet build --build-base build/debug --build-lib build/debug/lib --parallel 2

.PHONY: debug
debug: checked
	PYTHONPATH=build/debug/lib INTERCEPTOR_TREE=build/debug/lib $(BESIDE) $(BIN)/pytest $(SIDE_BY_SIDE) $(NO_HANGING) tests/kernels

# clang brings libFuzzer and the runtime of its sanitizers; nothing else here needs it.
$(STAMP)/clang:
	@if ! echo "int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return 0; }" \
		| clang -x c -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null; then \
		command -v apt-get >/dev/null || { echo "make: install clang first"; exit 1; }; \
		echo "installing clang"; $(SUDO) $(APT) update -qq && $(SUDO) $(APT) install -qq -y clang libclang-rt-dev llvm >/dev/null; \
	fi
	@mkdir -p $(@D) && touch $@

# So many inputs for each fuzz target, under AddressSanitizer and UndefinedBehaviorSanitizer.
.PHONY: fuzz
fuzz: build $(STAMP)/clang
	INTERCEPTOR_SANITIZE=fuzzer-no-link,address,undefined CC=clang CXX=clang++ \
		$(BIN)/python setup.py --quiet build --build-base build/fuzz --build-lib build/fuzz/lib --parallel 2
	$(BIN)/python tests/fuzz/run.py --runs $(RUNS)

# Kernels and data plane under AddressSanitizer and UndefinedBehaviorSanitizer; Python itself is not built for leak
# detection (`make fuzz` looks for leaks), and what measures memory would measure the sanitizer's.
.PHONY: sanitize
sanitize: build
	INTERCEPTOR_SANITIZE=address,undefined $(BIN)/python setup.py --quiet build --build-base build/sanitize --build-lib build/sanitize/lib --parallel 2
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so) $$(gcc -print-file-name=libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc PYTHONPATH=build/sanitize/lib INTERCEPTOR_TREE=build/sanitize/lib \
		$(BIN)/python -P -m pytest --capture=sys tests/kernels tests/dataplane tests/conformance/test_{judging,trials}.py \
		tests/fault/test_changes_under_load.py \
		-k "not idle_connections_cost_little"

# What threads do to each other, under ThreadSanitizer: kernels that many use at once, and data-plane threads whose
# policies and lists change. No test that runs grpcio: it is not built for this, and its own threads look like races.
.PHONY: sanitize-threads
sanitize-threads: build
	INTERCEPTOR_SANITIZE=thread $(BIN)/python setup.py --quiet build --build-base build/thread --build-lib build/thread/lib --parallel 2
	LD_PRELOAD="$$(gcc -print-file-name=libtsan.so)" TSAN_OPTIONS=halt_on_error=1 \
	PYTHONPATH=build/thread/lib INTERCEPTOR_TREE=build/thread/lib $(BIN)/python -P -m pytest --capture=sys \
		tests/kernels/test_{demotion,engine,entities,events,inflight,lists,live_lists,pairing,pairs,publication,recent,samples,trial}.py \
		tests/fault/test_changes_under_load.py tests/dataplane/test_{connections,loop,tls}.py \
		-k "not idle_connections_cost_little and not grpcio"

.PHONY: bench
bench: build $(STAMP)/tools
	for script in bench/[!_]*.py; do $(BIN)/python $$script $(ARGS); done

.PHONY: lock
lock: $(BIN)/python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade \
		--custom-compile-command "make lock" --extra dev --output-file $(LOCK) pyproject.toml

.PHONY: clean
clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(VENV)
	find interceptor tests bench -name '__pycache__' -prune -exec rm -rf {} + 2>/dev/null || true
	find interceptor -name '*.so' -delete
