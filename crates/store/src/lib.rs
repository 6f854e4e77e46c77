//! Storage opened for one organisation: traits, their conformance suite, SQLite.
