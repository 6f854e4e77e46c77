//! Decides what a provisioning cycle does: scope, match, map, compare, plan.
