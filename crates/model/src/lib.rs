//! The nouns of Rollcall: ids, organisation, token, application, mapping, change, clock.
