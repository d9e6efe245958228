# One setting for every build, or the build cache is shared by none of them. The
# race detector alone needs cgo, and so a C compiler.
export CGO_ENABLED = 0
export GOFLAGS = -trimpath -buildvcs=false

FUZZTIME ?= 30s

.DEFAULT_GOAL := build
.PHONY: build image test e2e e2e-kubernetes lint fmt vet tidy fuzz bench cover check demo tools packages

build: ## bin/vouchsafe
	go build -buildvcs=auto -o bin/vouchsafe ./cmd/vouchsafe

image: ## bin/image: the container image as an OCI layout, for amd64 and arm64, without an engine
	cd e2e && go run ./image -o ../bin/image

demo: ## signed images let through, others refused; make demo ARGS=--script ends by itself
	go run ./cmd/vouchsafe demo $(ARGS)

test: packages ## the tests of the product, then those with the real programs around it
	CGO_ENABLED=1 go test -race ./...
	go test -count=1 -run 'Memory|CostsLittle' ./verify ./upstream ./content ./admission
	$(MAKE) --no-print-directory e2e

e2e: packages ## the real programs against the real binary, one package after the other: they share the kernel's memory for sockets
	cd e2e && go test -count=1 -p 1 -timeout 20m ./...

e2e-kubernetes: packages ## a real control plane and node alone; says so when it is skipped, and why
	cd e2e/kubernetes && go test -count=1 -timeout 10m

lint: ## the linters and formatters of .golangci.yml
	linter=$$(e2e/tools.sh golangci-lint) && $$linter run ./... && cd e2e && $$linter run ./...

fmt: ## format every file
	linter=$$(e2e/tools.sh golangci-lint) && $$linter fmt && cd e2e && $$linter fmt

vet: ## go vet in both modules
	go vet ./... && cd e2e && go vet ./...

tidy: ## both go.mod are tidy, for Go 1.26, and the modules are those of go.sum
	for module in . e2e; do (cd $$module && go mod tidy -diff && go mod verify && go list -m -f '{{.GoVersion}}' | grep '^1\.26') || exit 1; done

fuzz: ## each fuzz target for FUZZTIME
	for package in $$(go list ./...); do targets=$$(go test -list '^Fuzz' $$package) || exit 1; for target in $$(echo "$$targets" | grep '^Fuzz'); do go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; done; done

bench: ## each benchmark, with allocations
	go test -run '^$$' -bench . -benchmem ./...

cover: ## statements that the tests reach, in all
	mkdir -p bin && go test -coverpkg=./... -coverprofile=bin/cover.out ./... && go tool cover -func=bin/cover.out | tail -1

check: ## all that continuous integration runs, each part with its time
	@for part in tools lint vet tidy test; do echo "== $$part" && begun=$$(date +%s) && $(MAKE) --no-print-directory $$part && echo "== $$part took $$(($$(date +%s) - begun)) s" || exit 1; done

tools: ## build the pinned tools that are missing
	e2e/tools.sh golangci-lint cosign2 cosign3 containerd2 sigstore kubernetes

packages: ## as root on Debian, install what the tests need; else say what is missing
	@e2e/packages.sh
