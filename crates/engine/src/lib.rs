//! Runs provisioning cycles: effects, retries, logs; the own directory as a source.
