#!/bin/sh
# Two orders that match: one sells, one buys at the same price. Shows both orders, the trade and the book.
#
#   trade.sh [SYMBOL [PRICE]]      default: BTC/USDT 100.5
#
# Needs curl. Exit code: 0 they traded, 1 an order was refused or found nobody, 2 the server does not answer.
set -eu
server=${FILLSTREAM_SERVER:-http://127.0.0.1:3000}
symbol=${1:-BTC/USDT} price=${2:-100.5}
# Without authentication a user is whoever the request names, a UUID.
user() { cat /proc/sys/kernel/random/uuid 2> /dev/null || uuidgen | tr 'A-F' 'a-f'; }
seller=$(user) buyer=$(user)

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }

# place USER SIDE; its own id makes it one order, however often curl has to repeat the request.
place() {
  curl -sS --retry 5 --retry-connrefused "$server/api/v1/orders" -H 'Content-Type: application/json' -d "{
    \"user_id\":\"$1\", \"client_order_id\":\"$(user)\", \"symbol\":\"$symbol\", \"side\":\"$2\",
    \"type\":\"LIMIT\", \"quantity\":\"1\", \"price\":\"$price\"}"
}

for side in SELL BUY; do
  [ $side = SELL ] && who=$seller || who=$buyer
  answer=$(place "$who" $side) || exit 2
  order=$(printf '%s\n' "$answer" | field order_id)
  if [ -z "$order" ]; then
    printf '%s refused: %s\n' $side "$answer" >&2
    exit 1
  fi
  echo "order $order"
done

# The 201 says that the order is in the stream; the matcher's word follows within milliseconds.
tries=0
until [ $tries -ge 50 ]; do
  tries=$((tries + 1))
  bought=$(curl -sS "$server/api/v1/orders/$order?user_id=$buyer") || exit 2
  [ "$(printf '%s\n' "$bought" | field status)" != FILLED ] || break
  sleep 0.1
done

printf 'bought: %s\n' "$bought"
printf 'trades: %s\n' "$(curl -sS "$server/api/v1/markets/$symbol/trades?limit=1")"
printf 'book:   %s\n' "$(curl -sS "$server/api/v1/markets/$symbol/book?depth=5")"
[ "$(printf '%s\n' "$bought" | field status)" = FILLED ]
