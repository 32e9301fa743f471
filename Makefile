.PHONY: setup setup-test

setup:
	@.ci/setup

setup-test:
	@.ci/setup test
