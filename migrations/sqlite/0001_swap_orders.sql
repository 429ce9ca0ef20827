-- The one row says which stream the rows come from, the last sequence that is in them, and which generation of rows
-- readers see. A rebuild writes the next generation beside the live one, then moves this row on: one step for everybody.
CREATE TABLE read_model (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    generation  INTEGER NOT NULL,
    incarnation TEXT,    -- decimal digits of 64 bits without sign; null before the first event
    seq         INTEGER NOT NULL
) STRICT;

INSERT INTO read_model (id, generation, incarnation, seq) VALUES (1, 1, NULL, 0);

-- Not WITHOUT ROWID: ids derived from clients' keys come in no order, and whole rows would be written all over the file.
CREATE TABLE swap_order_rows (
    generation      INTEGER NOT NULL,
    order_id        TEXT NOT NULL,
    user_id         TEXT,
    client_order_id TEXT,
    token_in        TEXT NOT NULL,
    token_out       TEXT NOT NULL,
    amount_in       TEXT NOT NULL,
    slippage        TEXT NOT NULL,
    max_attempts    INTEGER NOT NULL,
    fingerprint     TEXT NOT NULL,
    status          TEXT NOT NULL,
    attempt         INTEGER NOT NULL,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    raydium_quote   TEXT,
    meteora_quote   TEXT,
    selected_dex    TEXT,
    tx_id           TEXT,
    executed_price  TEXT,
    amount_out      TEXT,
    dex_used        TEXT,
    failure_reason  TEXT,
    needs_review    INTEGER NOT NULL,
    placed_seq      INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL,
    PRIMARY KEY (generation, order_id)
) STRICT;

CREATE TABLE swap_order_event_rows (
    generation INTEGER NOT NULL,
    order_id   TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    type       TEXT NOT NULL,
    event      TEXT NOT NULL,
    PRIMARY KEY (generation, order_id, seq)
) STRICT;

-- What people and programs read: the live generation.
CREATE VIEW swap_orders AS
SELECT order_id, user_id, client_order_id, token_in, token_out, amount_in, slippage, max_attempts, fingerprint,
       status, attempt, created_at, updated_at, raydium_quote, meteora_quote, selected_dex, tx_id, executed_price,
       amount_out, dex_used, failure_reason, needs_review, placed_seq, last_seq
FROM swap_order_rows
WHERE generation = (SELECT generation FROM read_model);

CREATE VIEW swap_order_events AS
SELECT order_id, seq, type, event
FROM swap_order_event_rows
WHERE generation = (SELECT generation FROM read_model);
