//! Stories of single features, each against the target that misbehaves.

mod demand;
mod drift;
mod members;
mod nested;
mod outage;
mod pace;
mod preview;
mod references;
