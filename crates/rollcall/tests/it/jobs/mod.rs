//! `rollcall job` as it is used without a server: a job file, the binary, and a target that tells what it was asked.

mod answers;
mod carried_out;
mod desk;
mod leaving;
mod mistakes;
mod restored;
mod safety;
mod secrets;
mod sources;
mod tenant;
mod watching;
