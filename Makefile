# The same commands as ./muelle, for fingers that type make.
.DEFAULT_GOAL := help
.PHONY: help up down status test check bench

help: ## show these lines
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

up: ## set up what is missing, start the services, return when they are healthy
	./muelle up -d

down: ## stop the services; containers go on
	./muelle down

status: ## what runs
	./muelle status

test: ## the gate, then all tests
	./muelle test

check: ## the gate: format, lint, types, import laws, migrations, spelling, page
	./muelle check

bench: ## measure this engine, and dockerd where it is installed
	./muelle bench
