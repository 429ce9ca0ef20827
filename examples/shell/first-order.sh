#!/bin/sh
# Places a swap order, shows its life, and tells the outcome by the exit code: 0 confirmed, 1 failed, 2 could not be told.
#
#   first-order.sh [TOKEN_IN TOKEN_OUT AMOUNT]      default: SOL USDC 10
#
# Needs curl alone: it asks again and again. watch.sh is told.
set -eu
server=${FILLSTREAM_SERVER:-http://127.0.0.1:3000}
terms="{\"tokenIn\":\"${1:-SOL}\",\"tokenOut\":\"${2:-USDC}\",\"amount\":\"${3:-10}\"}"

# The string of this name in the JSON on stdin.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }

# The key makes it one order, however often curl has to repeat the request.
answer=$(curl -sS --retry 5 --retry-connrefused "$server/api/orders/execute" -d "$terms" \
  -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)-$$") || exit 2
order=$(printf '%s\n' "$answer" | field orderId)
if [ -z "$order" ]; then
  printf 'refused: %s\n' "$answer" >&2
  exit 2
fi
echo "order $order"

tries=0 shown=
while [ $tries -lt 600 ]; do
  tries=$((tries + 1))
  state=$(curl -sS --retry 5 --retry-connrefused "$server/api/orders/$order") || exit 2
  # Behind `logs` other statuses follow: those of the past.
  status=$(printf '%s\n' "${state%%\"logs\"*}}" | field status)
  [ "$status" = "$shown" ] || echo "$status"
  shown=$status
  case $status in
    confirmed) printf '%s\n' "${state%%\"logs\"*}}" | field amountOut | sed 's/^/received /'; exit 0 ;;
    failed) printf '%s\n' "${state%%\"logs\"*}}" | field failureReason; exit 1 ;;
  esac
  case $state in
    *'"needsReview":true'*) echo "nobody can tell the outcome; an operator decides" >&2; exit 2 ;;
  esac
  sleep 0.2
done
echo "still $shown" >&2
exit 2
