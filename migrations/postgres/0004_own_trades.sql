-- A user's own trades, whichever side they were on.

CREATE INDEX trade_rows_of_buyer ON trade_rows (generation, buyer_id, seq, place);
CREATE INDEX trade_rows_of_seller ON trade_rows (generation, seller_id, seq, place);
