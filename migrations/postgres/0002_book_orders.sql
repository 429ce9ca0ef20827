-- Book orders and markets. Generations and the checkpoint are those of 0001: one row in `read_model` says what readers see.

CREATE TABLE book_order_rows (
    generation            BIGINT NOT NULL,
    order_id              TEXT COLLATE "C" NOT NULL,
    client_order_id       TEXT,
    user_id               TEXT COLLATE "C" NOT NULL,
    symbol                TEXT NOT NULL,
    side                  TEXT NOT NULL,
    type                  TEXT NOT NULL,
    time_in_force         TEXT NOT NULL,
    post_only             BIGINT NOT NULL,
    expires_at            TEXT,
    self_trade_prevention TEXT NOT NULL,
    status                TEXT NOT NULL,
    price                 TEXT,
    quantity              TEXT NOT NULL,
    filled_quantity       TEXT NOT NULL,
    filled_quote          TEXT NOT NULL,
    fee                   TEXT NOT NULL,
    fingerprint           TEXT NOT NULL,
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL,
    placed_seq            BIGINT NOT NULL,
    last_seq              BIGINT NOT NULL,
    last_index            BIGINT NOT NULL,
    PRIMARY KEY (generation, order_id)
);

-- A user's orders, newest first; those that are open are few among many that have ended.
CREATE INDEX book_order_rows_of_user ON book_order_rows (generation, user_id, placed_seq);
CREATE INDEX book_order_rows_open ON book_order_rows (generation, user_id, placed_seq) WHERE status = 'OPEN';

-- What each user was told, in the order of the user's channel.
CREATE TABLE user_update_rows (
    generation BIGINT NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    seq        BIGINT NOT NULL,
    place      BIGINT NOT NULL,
    is_last    BIGINT NOT NULL,
    symbol     TEXT NOT NULL,
    message    TEXT NOT NULL,
    PRIMARY KEY (generation, user_id, seq, place)
);

CREATE TABLE trade_rows (
    generation     BIGINT NOT NULL,
    seq            BIGINT NOT NULL,
    place          BIGINT NOT NULL,
    is_last        BIGINT NOT NULL,
    trade_id       TEXT NOT NULL,
    symbol         TEXT COLLATE "C" NOT NULL,
    price          TEXT NOT NULL,
    quantity       TEXT NOT NULL,
    buyer_id       TEXT NOT NULL,
    seller_id      TEXT NOT NULL,
    buyer_fee      TEXT NOT NULL,
    seller_fee     TEXT NOT NULL,
    maker_order_id TEXT NOT NULL,
    taker_order_id TEXT NOT NULL,
    executed_at    TEXT NOT NULL,
    PRIMARY KEY (generation, seq, place)
);

CREATE INDEX trade_rows_of_market ON trade_rows (generation, symbol, seq, place);

CREATE TABLE level_rows (
    generation BIGINT NOT NULL,
    symbol     TEXT COLLATE "C" NOT NULL,
    side       TEXT COLLATE "C" NOT NULL,
    price      TEXT COLLATE "C" NOT NULL,
    quantity   TEXT NOT NULL,
    seq        BIGINT NOT NULL,
    PRIMARY KEY (generation, symbol, side, price)
);

-- All definitions that were asked for; `market_rows` names the one in force.
CREATE TABLE definition_rows (
    generation BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (generation, seq)
);

CREATE TABLE market_rows (
    generation     BIGINT NOT NULL,
    symbol         TEXT COLLATE "C" NOT NULL,
    definition_seq BIGINT,
    commit_seq     BIGINT NOT NULL,
    last_input     BIGINT NOT NULL,
    hash           TEXT,
    market_time    TEXT,
    depth_seq      BIGINT,
    depth_index    BIGINT,
    PRIMARY KEY (generation, symbol)
);

-- What people and programs read: the live generation.
CREATE VIEW book_orders AS
SELECT order_id, client_order_id, user_id, symbol, side, type, time_in_force, post_only, expires_at,
       self_trade_prevention, status, price, quantity, filled_quantity, filled_quote, fee, fingerprint, created_at,
       updated_at, placed_seq, last_seq, last_index
FROM book_order_rows
WHERE generation = (SELECT generation FROM read_model);

CREATE VIEW user_updates AS
SELECT user_id, seq, place, is_last, symbol, message
FROM user_update_rows
WHERE generation = (SELECT generation FROM read_model);

CREATE VIEW trades AS
SELECT seq, place, is_last, trade_id, symbol, price, quantity, buyer_id, seller_id, buyer_fee, seller_fee,
       maker_order_id, taker_order_id, executed_at
FROM trade_rows
WHERE generation = (SELECT generation FROM read_model);

CREATE VIEW levels AS
SELECT symbol, side, price, quantity, seq
FROM level_rows
WHERE generation = (SELECT generation FROM read_model);

CREATE VIEW definitions AS
SELECT seq, definition
FROM definition_rows
WHERE generation = (SELECT generation FROM read_model);

CREATE VIEW markets AS
SELECT m.symbol, d.definition, m.definition_seq, m.commit_seq, m.last_input, m.hash,
       COALESCE(m.market_time, '1970-01-01T00:00:00.000Z') AS market_time,
       COALESCE(m.depth_seq, 0) AS depth_seq, COALESCE(m.depth_index, 0) AS depth_index
FROM market_rows AS m
LEFT JOIN definition_rows AS d ON d.generation = m.generation AND d.seq = m.definition_seq
WHERE m.generation = (SELECT generation FROM read_model);
