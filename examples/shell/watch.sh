#!/bin/sh
# Places a swap order, watches it live, and tells the outcome by the exit code: 0 confirmed, 1 failed, 2 could not be told.
# Resumes by token when the connection is lost: nothing is missing, nothing comes twice.
#
#   watch.sh [TOKEN_IN TOKEN_OUT AMOUNT]      default: SOL USDC 10
#
# Needs curl and wscat.
set -eu
server=${FILLSTREAM_SERVER:-http://127.0.0.1:3000}
terms="{\"tokenIn\":\"${1:-SOL}\",\"tokenOut\":\"${2:-USDC}\",\"amount\":\"${3:-10}\"}"

# The string, or the number, of this name in the JSON on stdin.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" | head -n 1; }

# The key makes it one order, however often curl has to repeat the request.
answer=$(curl -sS --retry 5 --retry-connrefused "$server/api/orders/execute" -d "$terms" \
  -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)-$$") || exit 2
order=$(printf '%s\n' "$answer" | field orderId)
if [ -z "$order" ]; then
  printf 'refused: %s\n' "$answer" >&2
  exit 2
fi
echo "order $order"

show() {
  type=$(printf '%s\n' "$1" | field type)
  at="$(printf '%s\n' "$1" | number seq).$(printf '%s\n' "$1" | number index)"
  printf '%s  %-10s %s\n' "$at" "$type" "$(printf '%s\n' "$1" | field message)"
  case $type in confirmed) outcome=0 ;; failed) outcome=1 ;; esac
  case $1 in *'"needsReview":true'*) outcome=2 ;; esac
}

take() {
  here=$(printf '%s\n' "$1" | field token)
  token=${here:-$token}
  case $1 in
    '{"type":"connection"'* | '{"type":"subscribed"'* | *'"replayed":true'*) ;;
    '{"type":"backfill"'*)
      while IFS= read -r entry; do [ -z "$entry" ] || show "$entry"; done << END
$(printf '%s\n' "$1" | sed 's/.*"logs":\[\(.*\)\].*/\1/; s/},{/}\
{/g')
END
      ;;
    '{"type":"reset"'* | '{"type":"fell_behind"'* | '{"type":"caught_up"'* | '{"type":"status"'* | '{"type":"shutdown"'* | '{"type":"error"'*)
      printf '%s\n' "$1" | field message >&2 ;;
    *) show "$1" ;;
  esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkfifo "$work/silence" "$work/heard"
# wscat ends when its input does: this one says nothing and does not end.
exec 3<> "$work/silence"
url=$(printf '%s\n' "$answer" | field wsUrl)
token='' outcome='' tries=0
while [ -z "$outcome" ] && [ $tries -lt 120 ]; do
  wscat --connect "$url${token:+?after=$token}" <&3 > "$work/heard" 2> /dev/null &
  while [ -z "$outcome" ] && IFS= read -r message; do
    tries=0
    take "$message"
  done < "$work/heard"
  kill $! 2> /dev/null || true
  wait $! 2> /dev/null || true
  [ -n "$outcome" ] && break
  [ $tries -gt 0 ] || echo "connection lost, resuming" >&2
  tries=$((tries + 1))
  sleep 0.5
done
[ "${outcome:-2}" != 2 ] || echo "nobody can tell the outcome; an operator decides, or the server is gone" >&2
exit "${outcome:-2}"
