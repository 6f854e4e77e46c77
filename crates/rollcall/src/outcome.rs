//! How a command ends: its exit code, and what is said when it fails.

use std::process::ExitCode;

use rollcall_app::Failure;

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

/// Says what went wrong, on stderr, and returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup();
    printer::error(&causes.join(": "));
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
        if let Some(engine) = cause.downcast_ref::<rollcall_engine::Error>()
            && let Some(trouble) = crate::provisioning::trouble(engine)
        {
            return (trouble.exit, trouble.hint);
        }
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return match failure {
                Failure::Unavailable(_) => (Exit::Unreachable, None),
                Failure::Missing {
                    noun: "organisation",
                    ..
                } => (
                    Exit::Wrong,
                    Some("`rollcall org list` shows the organisations of this store".into()),
                ),
                Failure::Internal(_) => (
                    Exit::Unreachable,
                    Some("`rollcall doctor` looks for what is wrong with the store".into()),
                ),
                _ => (Exit::Wrong, None),
            };
        }
        if let Some(store) = cause.downcast_ref::<rollcall_store::Error>() {
            return match store {
                rollcall_store::Error::Location(_) => (
                    Exit::Wrong,
                    Some("for example `--store sqlite:rollcall.db`".into()),
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
