# The two commands of a newcomer: `make demo` and `make test`. Both install what they need into .venv (see .ci/setup).
ROOT ?= lolhl-data/demo
STREAMS = lolhl-data/streams
BIN = .venv/bin
PYTHON ?= $(BIN)/python
IMAGES ?= lolhl
BASE_IMAGE ?= python:3.11.14-slim-bookworm
TORCH_INDEX ?=
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' lolhl/__init__.py)
# The tests start thousands of processes: each would compile the library anew where this is set.
unexport PYTHONDONTWRITEBYTECODE
BENCHMARKS ?= start decode engines infer train storage overlap memory scale page

.PHONY: demo test test-fast test-slow lint test-engines test-docker test-slurm test-kubernetes torture torture-mends images push-images version bench bench-gpu evaluate clean

demo:
	@.ci/setup
	@$(BIN)/python -m tests.samples --out $(STREAMS)
	@$(BIN)/python -m components.pipeline --root "$(ROOT)" --model demo \
	  --learn $(STREAMS)/demo-a.mp4 --find $(STREAMS)/demo-b.mp4 \
	  --labels $(STREAMS)/demo-a.tsv $(STREAMS)/demo-b.tsv

test: lint test-fast test-slow

lint:
	@.ci/setup test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test-fast:
	@.ci/setup test
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not engine"

# Slow tests wait for half of their time: for servers, and for what they kill.
test-slow:
	@.ci/setup test
	$(BIN)/pytest -n 3 --dist worksteal -m "slow and not engine"

# An hour of hostile inputs, other ones each time: `make torture ARGUMENTS="--seed 1 --minutes 5 --family videos"`.
torture:
	@.ci/setup test
	@$(BIN)/python -m tests.torture $(ARGUMENTS)

# Takes each mend of a known fault back, and tells whether the torture finds it: `ARGUMENTS="--only twins dns"`.
torture-mends:
	@.ci/setup test
	@$(BIN)/python -m tests.torture.mends $(ARGUMENTS)

# As root on Debian: each installs its engine, starts it, runs jobs on it and stops it.
test-engines: test-docker test-slurm test-kubernetes

test-docker test-slurm test-kubernetes:
	@.ci/setup test $(@:test-%=%)
	$(BIN)/pytest -rA --no-header -q tests/engines/test_$(@:test-%=%).py

# One image a target of images/Dockerfile: $(IMAGES)/extract:VERSION and so on.
images:
	@for target in dataset extract infer train mlflow; do \
	  DOCKER_BUILDKIT=1 docker build -f images/Dockerfile --target $$target \
	    -t $(IMAGES)/$$target:$(VERSION) \
	    --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg TORCH_INDEX=$(TORCH_INDEX) . || exit 1; \
	done

# Pushes them, and prints the digest of each: NAME@sha256:….
push-images: images
	@for target in dataset extract infer train mlflow; do \
	  docker push -q $(IMAGES)/$$target:$(VERSION) >/dev/null || exit 1; \
	  docker image inspect --format '{{index .RepoDigests 0}}' $(IMAGES)/$$target:$(VERSION) || exit 1; \
	done

version:
	@echo $(VERSION)

# Each prints its tables and writes tests/benchmarks/results/DATE-NAME.md; leave the machine alone meanwhile.
bench:
	@.ci/setup test
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(BIN)/python -m tests.benchmarks.inputs
	@for name in $(BENCHMARKS); do $(BIN)/python -m tests.benchmarks.$$name || exit 1; done

# All methods on the same sample streams, by the one judge: `make evaluate METHODS="video loudness"` for some of them.
evaluate:
	@.ci/setup test
	@$(BIN)/python -m tests.evaluation $(METHODS)

bench-gpu:
	@$(PYTHON) -m tests.benchmarks.gpu

clean:
	rm -rf lolhl-data .mypy_cache .pytest_cache .ruff_cache
