#!/usr/bin/env python3
"""Places a swap order and shows its life; resumes by token when the connection is lost.

    watch.py [TOKEN_IN TOKEN_OUT AMOUNT]      default: SOL USDC 10

Standard library only. FILLSTREAM_SERVER is the address of a server without authentication.
The exit code tells the outcome: 0 confirmed, 1 failed, 2 could not be told.
"""

import os
import sys
import uuid

from fillstream_client import Untold, follow, refusal, request

CONFIRMED, FAILED, UNTOLD = 0, 1, 2

COLOURS = {"routing": 36, "building": 34, "submitted": 35, "retrying": 33, "confirmed": 32, "failed": 31}
COLOURED = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if COLOURED and code else text


class Order:
    """What this client knows of the order, over all its connections."""

    def __init__(self):
        self.after = None  # the token to resume with
        self.position = (0, 0)  # the last one shown

    def take(self, message):
        """Takes a message in; the outcome when it is the last one."""
        self.after = message.get("token", self.after)
        match message["type"]:
            case "connection" | "subscribed":
                return None
            case "backfill":
                outcomes = [self.show(entry) for entry in message["logs"]]
                return outcomes[-1] if outcomes else None
            case "reset":  # the token was of another stream: all of it follows anew
                self.position = (0, 0)
                return self.note(message["message"])
            case "fell_behind" | "caught_up" | "status" | "shutdown" | "error":
                return self.note(message["message"])
        if message.get("replayed"):  # the backfill's last entry once more
            return None
        if (message["prev_seq"], message["prev_index"]) != self.position:
            raise Untold(f"a gap: {message['seq']}.{message['index']} does not follow {self.position}")
        return self.show(message)

    def show(self, entry):
        self.position = (entry["seq"], entry["index"])
        place = f"{entry['seq']}.{entry['index']}"
        bar = ("▪" * (entry["progress"] // 10)).ljust(10, "·")
        kind = paint(COLOURS.get(entry["type"]), f"{bar} {entry['type']:<10}")
        print(f"{place:>9}  {entry['timestamp']}  {kind} {entry['message']}", flush=True)
        if entry["type"] in ("confirmed", "failed"):
            return CONFIRMED if entry["type"] == "confirmed" else FAILED
        return UNTOLD if entry.get("needsReview") else None

    @staticmethod
    def note(text):
        print(paint(2, text), file=sys.stderr)


def main(token_in="SOL", token_out="USDC", amount="10"):
    terms = {"tokenIn": token_in, "tokenOut": token_out, "amount": amount}
    # The key makes it one order, however often the request has to be repeated.
    status, placed = request("POST", "/api/orders/execute", terms, key=str(uuid.uuid4()))
    if status != 201:
        raise Untold(refusal(placed))
    print(f"order {placed['orderId']}", flush=True)
    return follow(placed["wsUrl"], Order())


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:4]))
    except Untold as reason:
        print(paint(31, str(reason)), file=sys.stderr)
        sys.exit(UNTOLD)
