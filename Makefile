# `make` installs what is missing (as root) and builds the program; `make demo` shows it; `make test` proves it.
# Everything is built under build/PRESET; CMakePresets.json says what each preset is. CONTRIBUTING.md has the rest.

PREFIX ?= /usr/local
# Seconds that `make fuzz` gives to each fuzzer.
FUZZ_SECONDS ?= 20
# What `make tsan` builds and runs: the tests of code with threads. The room discord has none of its own: net's tests have
# that of its HTTP requests, and the recorder's live ones run it beside the journals' threads.
TSAN_PROGRAMS = test_base test_journal test_store test_catalog test_jobs test_workflows test_net test_web test_recorder
TSAN_TESTS = ^(base|journal|store|catalog|jobs|web)\.|SameBytes|^net\.(HttpClient|Spawn)|^recorder\.(Live|Capture)
# What `make asan` leaves to `make test`: measurements of what hours of audio sound like, a third of its time, and troubles
# that the rooms' own tests know; odd datagrams and messages stay.
MEASURES_SOUND = ^render\.(Slices\.Against|Chunk\.(Twelve|Five)|ExportOpus\.Open|ExportPcm\.Nothing|Loss|ConnectionPcm\.Any)|^audio\.(Limiter\.(TruePeak|APiece)|Mp3\.ChunksEnd|Opus\.HasFecSays)|^timeline\.Line\.|\.Leveled\.(EveryCleanVoice|TheMasterAtEach)
ASAN_LEAVES = $(MEASURES_SOUND)|^workflows\.Operations|\.TenMinutes|\.Evening|\.Guilds|^live\.(Voice|GatewayClose|Rest)|^system\.KilledJobs|^bot\.Killed|^interop\.|S3Real|\.Bucket\.|^cloud\.

# Folders that clang-tidy looks at; empty: all. On a machine that remembers no earlier pass a file takes 4 s.
TIDY ?=

RELEASE = build/release
CCACHE := $(shell command -v ccache 2>/dev/null)
ifneq ($(CCACHE),)
export CMAKE_CXX_COMPILER_LAUNCHER = $(CCACHE)
endif

.PHONY: all demo run test bench lint analyze asan tsan fuzz install clean

# The program alone: no tests, so that a first build is quick and needs fewer packages.
all:
	@tools/packages program
	@test -f $(RELEASE)/build.ninja || cmake --preset release -DLESTAPENNA_TESTS=OFF
	@cmake --build $(RELEASE) --target lestapenna

# ARGS go to the demo: make demo ARGS="--speakers 6 --seconds 300"
demo: all
	$(RELEASE)/lestapenna demo $(ARGS)

# The bot, for who has a token (README.md).
run: all
	$(RELEASE)/lestapenna run $(ARGS)

test:
	@tools/packages program test
	@cmake --preset release -DLESTAPENNA_TESTS=ON
	@cmake --build $(RELEASE)
	@tools/run-tests $(RELEASE)

bench:
	@tools/packages program test
	@cmake --preset release -DLESTAPENNA_TESTS=ON
	@cmake --build $(RELEASE) --target bench/all
	@set -e; for bench in $(RELEASE)/bench/bench_*; do echo "== $$bench"; $$bench; done

asan:
	@tools/packages program test
	@cmake --preset asan
	@cmake --build build/asan --target tests/all
	@tools/run-tests build/asan -E '$(ASAN_LEAVES)'

tsan:
	@tools/packages program test
	@cmake --preset tsan
	@cmake --build build/tsan --target $(TSAN_PROGRAMS)
	@tools/run-tests build/tsan -R '$(TSAN_TESTS)' -E S3Real

fuzz:
	@tools/packages program develop
	@cmake --preset fuzz
	@cmake --build build/fuzz --target fuzz/all
	@tools/run-fuzzers build/fuzz $(FUZZ_SECONDS)

lint: all
	@tools/packages program test develop
	@failed=; for check in check-arrows "check-licences $(RELEASE)/lestapenna" check-format "check-tidy $(TIDY)"; do \
	    echo "== $$check"; tools/$$check || failed="$$failed $${check%% *}"; \
	done; test -z "$$failed" || { echo "lint failed:$$failed"; exit 1; }

# clang's analyzer reads a coroutine as a plain function and finds Asio's frame uninitialised at any co_await
# (core.CallAndMessage).
analyze:
	@tools/packages program test develop
	@CHECKS='clang-analyzer-*,-clang-analyzer-core.CallAndMessage' tools/check-tidy $(TIDY)

install: all
	cmake --install $(RELEASE) --prefix $(PREFIX) --strip

clean:
	rm -rf build
