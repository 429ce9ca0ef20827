-- Sequences prove themselves: a stream that was put back has other records under the same numbers.

-- Id of the record at `seq`, as text; null while it is not known, as in rows of older versions.
ALTER TABLE read_model ADD COLUMN record_id TEXT;

-- 64 bits of the id of each record that rows were made of, signed: what a socket's token of that sequence carries.
CREATE TABLE record_rows (
    generation BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    tag        BIGINT NOT NULL,
    PRIMARY KEY (generation, seq)
);

CREATE VIEW records AS
SELECT seq, tag
FROM record_rows
WHERE generation = (SELECT generation FROM read_model);

-- Best price first, without reading the others. Prices are texts without leading zeros: the one with more digits before its
-- point is the higher one, and with as many of them the order is that of the texts.
CREATE INDEX level_rows_by_price ON level_rows (generation, symbol, side, strpos(price || '.', '.'), price);
