//! Ids, money, tokens, the events of an order and its life cycle: pure.
