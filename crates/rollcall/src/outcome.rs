//! How a command ends: its exit code, and what is said when it fails.

use std::process::ExitCode;

use rollcall_app::Failure;
use rollcall_engine::NotApplied;
use rollcall_model::provisioning::QuarantineReason;

use crate::printer;

/// How a command ended; the codes are promises of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// It ran, and the answer is no.
    No = 1,
    /// The call or its input is wrong.
    Wrong = 2,
    /// Something it needs is out of reach.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command stopped, with what can be done about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Trouble {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Trouble {
    /// The call or its input is wrong.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Wrong,
            message: message.into(),
            hint: None,
        }
    }

    /// It ran, and the answer is no.
    pub(crate) fn no(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::No,
            message: message.into(),
            hint: None,
        }
    }

    /// Something needed is out of reach.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Unreachable,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Returns what it means for a command that a cycle stopped, or cannot begin.
pub(crate) fn of_reason(reason: QuarantineReason) -> Exit {
    match reason {
        QuarantineReason::EncounteredQuarantineException
        | QuarantineReason::ServiceIncompatible
        | QuarantineReason::Unknown => Exit::Unreachable,
        QuarantineReason::CredentialRefused | QuarantineReason::InvalidConfiguration => Exit::Wrong,
        QuarantineReason::TooManyDeletes
        | QuarantineReason::EncounteredBaseEscrowThreshold
        | QuarantineReason::EncounteredTotalEscrowThreshold
        | QuarantineReason::EncounteredEscrowProportionThreshold
        | QuarantineReason::RestoredFromBackup => Exit::No,
    }
}

/// Says what went wrong, on stderr, and returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(Failure::Configuration(mistakes)) = error.downcast_ref::<Failure>() {
        for mistake in mistakes {
            let message = mistake.message.trim_end();
            printer::say(&format!("{}: {message}", mistake.place));
            printer::say(&format!("  help: {}", mistake.help));
        }
        let count = match mistakes.len() {
            1 => "a mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        printer::error(&format!(
            "{count} in the configuration; nothing was changed"
        ));
    } else {
        let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        causes.dedup();
        printer::error(&causes.join(": "));
    }
    let (exit, hint) = judge(error);
    if let Some(hint) = hint {
        printer::hint(&hint);
    }
    exit.into()
}

fn judge(error: &anyhow::Error) -> (Exit, Option<String>) {
    for cause in error.chain() {
        if let Some(trouble) = cause.downcast_ref::<Trouble>() {
            return (trouble.exit, trouble.hint.clone());
        }
        if let Some(not_applied) = cause.downcast_ref::<NotApplied>() {
            return match not_applied {
                NotApplied::Moved(_) => (Exit::No, Some(NEW_PLAN.into())),
                NotApplied::Failed(error) => of_engine(error),
            };
        }
        if let Some(error) = cause.downcast_ref::<rollcall_engine::Error>() {
            return of_engine(error);
        }
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return of_failure(failure);
        }
        if let Some(store) = cause.downcast_ref::<rollcall_store::Error>() {
            return match store {
                rollcall_store::Error::Backup(_) => (
                    Exit::Wrong,
                    Some("make a store of it: `rollcall restore FILE --store sqlite:NEW.db`".into()),
                ),
                rollcall_store::Error::Location(_) => (
                    Exit::Wrong,
                    Some("for example `--store sqlite:rollcall.db`, or `--store postgres://rollcall@localhost/rollcall`".into()),
                ),
                rollcall_store::Error::Address(_) => (
                    Exit::Wrong,
                    Some("an address looks like this: `postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=require`".into()),
                ),
                _ => (Exit::Unreachable, None),
            };
        }
        if cause.downcast_ref::<std::io::Error>().is_some() {
            return (Exit::Unreachable, None);
        }
    }
    (Exit::Wrong, None)
}

/// What to do when a target does not take the credential.
pub(crate) const NEW_TOKEN: &str = "put a token there that the target takes, then repeat";
/// What to do with a job that is held since the store was restored.
const RESUME: &str = "make a plan, to see what would be done; `rollcall app restart`, or `rollcall job restart`, lets it run again";
/// What to do when a plan does not hold.
const NEW_PLAN: &str = "make a new plan, read it, and run that one";

fn of_engine(error: &rollcall_engine::Error) -> (Exit, Option<String>) {
    use rollcall_engine::Error;
    let (exit, hint) = match error {
        Error::Interrupted => (
            Exit::No,
            "nothing is lost: the next cycle goes on where this one ended",
        ),
        Error::Stopped {
            reason: QuarantineReason::CredentialRefused,
            ..
        } => (Exit::Wrong, NEW_TOKEN),
        Error::Stopped {
            reason: QuarantineReason::RestoredFromBackup,
            ..
        } => (Exit::No, RESUME),
        Error::Stopped { reason, .. } => match of_reason(*reason) {
            Exit::Unreachable => (
                Exit::Unreachable,
                "see to it that the target runs and can be reached, then repeat",
            ),
            Exit::Wrong => (Exit::Wrong, "mend the configuration, then repeat"),
            exit => return (exit, None),
        },
        Error::Busy => (
            Exit::Unreachable,
            "`rollcall serve` or another command runs it, or has died a few seconds ago: wait until it has ended, then repeat",
        ),
        Error::Deviated(_) => (Exit::No, NEW_PLAN),
        Error::Failed(failure) => return of_failure(failure),
    };
    (exit, Some(hint.into()))
}

fn of_failure(failure: &Failure) -> (Exit, Option<String>) {
    match failure {
        Failure::Unavailable(_) => (Exit::Unreachable, None),
        Failure::Missing {
            noun: "organisation",
            ..
        } => (
            Exit::Wrong,
            Some("`rollcall org list` shows the organisations of this store".into()),
        ),
        Failure::Missing {
            noun: "application",
            ..
        } => (
            Exit::Wrong,
            Some("`rollcall app list` shows the applications of this organisation".into()),
        ),
        Failure::Missing {
            noun: "webhook", ..
        } => (
            Exit::Wrong,
            Some("`rollcall webhook list` shows the webhooks of this organisation".into()),
        ),
        Failure::Internal(_) => (
            Exit::Unreachable,
            Some("`rollcall doctor` looks for what is wrong with the store".into()),
        ),
        _ => (Exit::Wrong, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_engine::Error;

    #[test]
    fn every_end_of_the_engine_has_its_exit_code() {
        let stopped = |reason| Error::Stopped {
            reason,
            message: "why".into(),
        };
        let missing = || Failure::Missing {
            noun: "application",
            id: "x".into(),
        };
        for (error, exit) in [
            (Error::Interrupted, Exit::No),
            (
                stopped(QuarantineReason::EncounteredQuarantineException),
                Exit::Unreachable,
            ),
            (
                stopped(QuarantineReason::ServiceIncompatible),
                Exit::Unreachable,
            ),
            (stopped(QuarantineReason::CredentialRefused), Exit::Wrong),
            (stopped(QuarantineReason::InvalidConfiguration), Exit::Wrong),
            (stopped(QuarantineReason::TooManyDeletes), Exit::No),
            (stopped(QuarantineReason::RestoredFromBackup), Exit::No),
            (Error::Busy, Exit::Unreachable),
            (Error::Deviated("why".into()), Exit::No),
            (Error::Failed(missing()), Exit::Wrong),
        ] {
            let shown = error.to_string();
            assert_eq!(of_engine(&error).0, exit, "{shown}");
            let applied = anyhow::Error::from(NotApplied::Failed(error));
            assert_eq!(judge(&applied).0, exit, "{shown} while a plan is applied");
        }
        let moved = anyhow::Error::from(NotApplied::Moved(vec!["the source changed".into()]));
        assert_eq!(judge(&moved), (Exit::No, Some(NEW_PLAN.into())));
    }
}
