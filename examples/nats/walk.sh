#!/bin/sh
# The commands of walk.md that come to an end by themselves. Exit code 0 also where there is no nats CLI: it says so.
#
#   walk.sh [NATS_URL]      default: nats://127.0.0.1:4222, which `fillstream up` takes when it is free
set -eu
if ! command -v nats > /dev/null; then
  echo "skipped: no nats CLI on PATH"
  exit 0
fi
export NATS_URL="${1:-${NATS_URL:-nats://127.0.0.1:4222}}"

walk() {
  printf '\n$ %s\n' "$*"
  "$@"
}

walk nats stream info ORDERS
walk nats sub --stream ORDERS --all --count 3
walk nats stream get ORDERS 1
walk nats stream subjects ORDERS
walk nats stream subjects ORDERS 'orders.swap.>'
walk nats consumer info ORDERS executor
walk nats micro ls
walk nats micro info fillstream
walk nats req fillstream.orders.execute '{"tokenIn":"SOL","tokenOut":"USDC","amount":10}' -H Idempotency-Key:walk-1
walk nats micro stats fillstream
