//! Sources and targets over I/O: the SCIM client, the connection test.
