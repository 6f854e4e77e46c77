//! The limits of HTTP, in one table. Those of SCIM itself are in `rollcall_scim::limits`.

use std::time::Duration;

/// A request's header block, in bytes.
pub const HEADER_BYTES: usize = 16 * 1024;
/// A request's header fields.
pub const HEADER_FIELDS: usize = 64;
/// How long a client may take to send its header block, from the moment it connects.
pub const HEADER_TIME: Duration = Duration::from_secs(10);
/// A request target (path and query), in bytes.
pub const TARGET_BYTES: usize = 8 * 1024;
/// How long a body may pause.
pub const BODY_IDLE: Duration = Duration::from_secs(15);
/// How long a body may take altogether.
pub const BODY_TIME: Duration = Duration::from_mins(1);
/// How long the work on a request may take once its body is there.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How long a client should wait before it repeats a request that took too long, in seconds.
pub const REQUEST_WAIT: u64 = 5;
/// How long a connection may do nothing between two requests.
pub const IDLE_TIME: Duration = Duration::from_secs(75);
/// How long an answer about readiness is repeated before the store is asked again.
pub const READY_TIME: Duration = Duration::from_secs(1);
/// Connections at the same time; more wait to be accepted.
pub const CONNECTIONS: u32 = 4_096;
/// Streams on one HTTP/2 connection.
pub const STREAMS: u32 = 100;
/// How long a stopping server waits for what is in flight.
pub const DRAIN_TIME: Duration = Duration::from_secs(25);
/// Requests per second and token, on average.
pub const TOKEN_RATE: u32 = 100;
/// Requests of one token at once, after a pause.
pub const TOKEN_BURST: u32 = 200;
/// Requests per second of all tokens of an organisation together: so many times [`TOKEN_RATE`]. A burst is twice that.
pub const ORGANISATION_TOKENS: u32 = 4;
/// Failed authentications per minute and address.
pub const FAILED_PER_MINUTE: u32 = 20;

/// A body of the JSON API, in bytes.
pub const API_BYTES: usize = 64 * 1024;
/// How long a request of the JSON API may wait for events, in seconds.
pub const EVENTS_WAIT: u64 = 25;
/// Requests that wait for events at the same time; of more, each is told to come again.
pub const EVENTS_WAITING: usize = 512;
/// Those of one organisation.
pub const EVENTS_WAITING_OF_ONE: usize = 8;
/// Pages about the past that are made, and ways back that are gone, at the same time: each reads much.
pub const PAST: usize = 2;
/// Those of one organisation.
pub const PAST_OF_ONE: usize = 1;
/// Tests of webhooks that are under way at the same time: each may wait a minute for an address at which nobody answers.
pub const TESTS: usize = 16;
/// Those of one organisation.
pub const TESTS_OF_ONE: usize = 2;

/// The bodies of all requests that are worked on at the same time, in bytes.
pub const ROOM_BYTES: usize = 128 * 1024 * 1024;
/// Those of one organisation, in bytes.
pub const ROOM_BYTES_OF_ONE: usize = 32 * 1024 * 1024;
/// So much of each body needs no room, in bytes.
pub const ROOM_FREE_BYTES: usize = 64 * 1024;
/// How long a request waits for room.
pub const ROOM_TIME: Duration = Duration::from_secs(10);

/// A form of the console that nobody has signed in for, in bytes.
pub const GUEST_FORM_BYTES: usize = 64 * 1024;
/// A form of a signed-in administrator, in bytes: an attribute list of hundreds of attributes is one.
pub const FORM_BYTES: usize = 1024 * 1024;
/// A form with a file, of an administrator who may send it, in bytes.
pub const UPLOAD_BYTES: usize = 8 * 1024 * 1024;

/// How much of a body that nobody wanted is read and forgotten once its request is answered, so that the connection can be used again.
pub const REST_BYTES: usize = 64 * 1024;
/// How long that may take; then the connection is closed, and the answer says so.
pub const REST_TIME: Duration = Duration::from_secs(1);
/// How much of a body that is too long is read and forgotten, so that its sender sees the answer.
pub const SWALLOW_BYTES: usize = 64 * 1024 * 1024;
/// How long that may take, in all and between two pieces.
pub const SWALLOW_TIME: Duration = Duration::from_secs(10);
/// See [`SWALLOW_TIME`].
pub const SWALLOW_IDLE: Duration = Duration::from_secs(1);
