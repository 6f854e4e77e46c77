//! Use cases: the only code that changes an organisation's data.
