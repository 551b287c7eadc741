# make test: everything, on both engines, with the race detector, vet and lint.
GO ?= go
export EUCORA_REQUIRE_POSTGRES = 1
export EUCORA_REQUIRE_CHROMIUM = 1
export EUCORA_REQUIRE_PEERS = 1

AXE = axe-core-4.14.1

.PHONY: test quick lint postgres chromium axe peers second soak bench fuzz build

test: postgres chromium axe lint peers second
	$(GO) test -race -timeout 20m ./...
	$(GO) test -run 'TestEveryByte|TestCrash' ./internal/capsule ./internal/store # each byte and each step: too slow with the race detector

quick: ## without PostgreSQL, Chromium and peers if there is none, and without the race detector
	EUCORA_REQUIRE_POSTGRES= EUCORA_REQUIRE_PEERS= EUCORA_REQUIRE_CHROMIUM= $(GO) test ./...

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	cd tools && $(GO) build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...

# Programs by others that tests have read what we serve, or that say what they saw.
# On Debian, as root, those that are packaged are installed if they are missing.
peers:
	cd tools && $(GO) build -o ../bin/tlogread ./tlogread
	cd tools && $(GO) build -o ../bin/litewitness filippo.io/torchwood/cmd/litewitness
	cd tools/slsa && $(GO) build -o ../../bin/slsa-verifier github.com/slsa-framework/slsa-verifier/v2/cli/slsa-verifier
	@{ command -v ssh-agent && command -v ssh-add && command -v ssh-keygen && command -v openssl && command -v curl && command -v sqlite3; } >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "install the OpenSSH client, openssl, curl and sqlite3 first"; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openssh-client openssl curl sqlite3; }

# The second verifier, in Python, on every capsule that the first one's tests make.
second:
	@suits='import sys, cryptography; sys.exit(sys.version_info < (3, 11))'; python=python3; python3 -c "$$suits" 2>/dev/null || { \
	  python=/usr/bin/python3; \
	  $$python -c "$$suits" 2>/dev/null || { \
	    [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "install Python 3.11 or newer and its package cryptography first"; exit 1; }; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-cryptography; }; }; \
	  dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	  EUCORA_CAPSULES=$$dir $(GO) test -count=1 -run TestWriteCases ./internal/capsule && \
	  EUCORA_CAPSULES=$$dir $$python -m unittest discover -s verify

# On Debian, as root, PostgreSQL is installed if it is missing.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "install PostgreSQL first (its initdb is needed)"; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql; }

# The same with Chromium, for the console's tests.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "install Chromium first"; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; }

# axe-core is a tool of the console's tests, and no part of the program: one file of
# its npm package, whose SHA-256 the test knows.
axe: bin/axe.min.js
bin/axe.min.js:
	@command -v npm >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "install npm first, or put axe.min.js of $(AXE) into bin/"; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq npm; }
	@mkdir -p bin && cd bin && npm pack --silent $(subst axe-core-,axe-core@,$(AXE)) >/dev/null && \
	  tar -xzf $(AXE).tgz --strip-components=1 package/axe.min.js && rm $(AXE).tgz

soak: postgres ## the crash tests, a hundred rounds on each engine, and each bit and member of each capsule
	EUCORA_CRASH_ROUNDS=100 $(GO) test -run Crash -timeout 60m -v ./internal/workflow
	EUCORA_EVERY_BIT=1 $(GO) test -run 'TestEveryByte|TestSecondOpinion' -timeout 120m -v ./internal/capsule

bench: postgres
	EUCORA_POSTGRES_FSYNC=1 $(GO) run ./bench

FUZZTIME ?= 20s
fuzz:
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$p || exit 1; done; done

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/eucora ./cmd/eucora
