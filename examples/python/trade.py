#!/usr/bin/env python3
"""The life of a book order: placed, amended, cancelled, each step taken when the user's socket tells of the one before.

    trade.py [SYMBOL [PRICE]] [--pause SECONDS]      default: BTC/USDT 100.5, 1 second

It sells 2 at PRICE, lessens that to 1.5 and takes it back. What others buy of it meanwhile is shown, too.
Standard library only. FILLSTREAM_SERVER is the address of a server without authentication. Exit code: 0 the order's
end was seen, 1 the order was refused, 2 could not be told.
"""

import argparse
import sys
import time
import uuid

from fillstream_client import SERVER, Untold, follow, refusal, request

ENDED, REFUSED, UNTOLD = 0, 1, 2


class Desk:
    """A user's orders, as `/ws/orders` tells of them, and what is done about one of them."""

    def __init__(self, user, placed, pause):
        self.user, self.order, self.pause = user, placed["order_id"], pause
        # A bare sequence, that of the placed order: all that came of it follows. Later the token of the last message.
        self.after = placed["seq"]
        self.position = None

    def take(self, message):
        """Takes a message in; the outcome when the order has ended."""
        self.after = message.get("token", self.after)
        if message["type"] != "order_update":
            if message["type"] == "reset":  # the chain begins anew, and REST knows what was in between
                self.position = None
            return self.note(f"{message['type']}: {message.get('reason', '')}")
        before = (message["prev_seq"], message["prev_index"])
        if self.position not in (None, before):
            raise Untold(f"a gap: {message['seq']} does not follow {self.position}")
        self.position = (message["seq"], message["index"])
        print(
            f"{message['seq']:>7}.{message['index']}  {message['timestamp']}  {message['action']:<16} {message['side']}"
            f" {message['quantity']} at {message['price']}, filled {message['filled_quantity']}",
            flush=True,
        )
        return self.act(message["action"]) if message["order_id"] == self.order else None

    def act(self, action):
        match action:
            case "created":
                if not self.ask("amended", "PATCH", {"quantity": "1.5"}):  # more than that is sold by now
                    self.ask("cancelled", "DELETE")
            case "amended":
                self.ask("cancelled", "DELETE")
            case "filled" | "cancelled":
                return ENDED
            case "rejected":
                return REFUSED
        return None

    def ask(self, what, method, body=None):
        """Whether it was done. That the order has ended by itself is no fault: the socket tells how."""
        time.sleep(self.pause)
        status, answer = request(method, f"/api/v1/orders/{self.order}?user_id={self.user}", body)
        self.note(f"{what}: {status}" if status < 400 else f"not {what}: {refusal(answer)}")
        return status < 400

    @staticmethod
    def note(text):
        print(text, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("symbol", nargs="?", default="BTC/USDT")
    parser.add_argument("price", nargs="?", default="100.5")
    parser.add_argument("--pause", type=float, default=1)
    asked = parser.parse_args()
    user = str(uuid.uuid4())
    terms = {
        "user_id": user,
        "client_order_id": str(uuid.uuid4()),  # makes it one order, however often the request has to be repeated
        "symbol": asked.symbol,
        "side": "SELL",
        "type": "LIMIT",
        "quantity": "2",
        "price": asked.price,
    }
    status, placed = request("POST", "/api/v1/orders", terms)
    if status != 201:
        print(refusal(placed), file=sys.stderr)
        return REFUSED
    print(f"order {placed['order_id']}", flush=True)
    return follow(f"{SERVER.replace('http', 'ws', 1)}/ws/orders?user_id={user}", Desk(user, placed, asked.pause))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Untold as reason:
        print(reason, file=sys.stderr)
        sys.exit(UNTOLD)
