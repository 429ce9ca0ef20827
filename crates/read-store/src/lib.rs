//! The SQL read model: rows and checkpoint in one transaction, SQLite and PostgreSQL.
