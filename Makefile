# Everything one types while working on Ember. `make` alone lists it. The work is done by the scripts in tools/.

MAKEFLAGS += --no-print-directory --silent
.DEFAULT_GOAL := help
.PHONY: help setup build debug archive tsan pi serve test test-long fuzz bench clean distclean

help: ## list what make can do
	sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: ## fetch what Ember is built from and runs on into .deps/ (once, some minutes)
	tools/setup/setup

build: setup ## build emberd, ember and ember-run into build/
	tools/setup/build build

debug: setup ## build them into build-debug/, checked by the address and undefined behaviour sanitizers
	tools/setup/build build-debug -Ddebug=true -Doptimization=g -Db_sanitize=address,undefined -Dwerror=true

tsan: setup ## build them into build-tsan/, checked by the thread sanitizer
	tools/setup/build build-tsan -Ddebug=true -Doptimization=1 -Db_sanitize=thread -Dwerror=true

archive: build ## let Spark's JVMs start faster: class data archives (once, about a minute)
	tools/setup/class-archive

pi: archive ## start Ember, submit a Spark job to it and print what it computed
	tools/pi

serve: archive ## run Ember on 127.0.0.1:4567 until Ctrl-C; its data is kept in ~/.ember
	tools/serve

test: archive debug tsan ## run the tests, as continuous integration does
	tools/test

test-long: archive debug tsan ## run the tests that take long as well
	tools/test --long

fuzz: setup ## fuzz the parsers, T seconds each (installs clang-19)
	tools/setup/setup fuzz
	tools/fuzz $(if $(T),-t $(T)) $(if $(J),-j $(J))

bench: archive ## measure load and latency
	tools/setup/setup bench
	bench/run

clean: ## remove what was built, keep what was fetched
	rm -rf build build-debug build-tsan build-fuzz

distclean: clean ## remove what was fetched as well
	rm -rf .deps
