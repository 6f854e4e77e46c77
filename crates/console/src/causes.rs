//! The known causes of failures in provisioning: what each code of the log means, and what can be done about it.
//!
//! One table for all pages: the log, the overview, why. A code that is not here is shown as it is, with the target's own answer.

/// A known cause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    /// The code, as it is in the log.
    pub(crate) code: &'static str,
    /// What it means.
    pub(crate) title: &'static str,
    /// What can be done.
    pub(crate) remedies: &'static [&'static str],
}

/// Returns what is known of a code.
pub(crate) fn of(code: &str) -> Option<&'static Cause> {
    CAUSES.iter().find(|cause| cause.code == code)
}

const CAUSES: &[Cause] = &[
    Cause {
        code: rollcall_sync::task::REFERENCES_FAILED,
        title: "A manager, or members of a group, were not accepted",
        remedies: &[
            "Read the target's answer. The account itself is as it should be.",
            "It is tried again, more and more rarely.",
        ],
    },
    Cause {
        code: "MissingValues",
        title: "A value that the target demands is missing",
        remedies: &["Enter the value in the directory, or give the mapping a default value."],
    },
    Cause {
        code: "SchemaPropertyCanOnlyAcceptValue",
        title: "A value does not have the type that the target demands",
        remedies: &[
            "Correct the value in the directory, or change the mapping or the attribute's type in the attribute list.",
        ],
    },
    Cause {
        code: "EntrySynchronizationError",
        title: "A mapping fails for this person",
        remedies: &[
            "Open the mapping, and look at its preview with this person.",
            "Correct the value, or the expression.",
        ],
    },
    Cause {
        code: "EntrySynchronizationSkipped",
        title: "A mapping leaves this person out",
        remedies: &["The matching attribute has no value: enter it in the directory."],
    },
    Cause {
        code: "NotEffectivelyEntitled",
        title: "Not in scope",
        remedies: &[
            "Assign the person or one of their groups under Users and groups, or look at the scoping filters of the mapping.",
        ],
    },
    Cause {
        code: "NotPermitted",
        title: "The mapping does not permit this",
        remedies: &["Switch on the target object action under Mappings."],
    },
    Cause {
        code: "RedundantExport",
        title: "Nothing to do",
        remedies: &["Both ends agree."],
    },
    Cause {
        code: "TooManyDeletes",
        title: "Held by the deletion guard",
        remedies: &[
            "Bring the people back, or release exactly those who are held, on the overview of the application.",
        ],
    },
    Cause {
        code: "Unauthorized",
        title: "The target refuses the token",
        remedies: &[
            "Create a new token in the target and enter it under Provisioning, Admin credentials.",
            "Test the connection there: it says at which step it fails.",
        ],
    },
    Cause {
        code: "InsufficientRights",
        title: "The target does not allow this",
        remedies: &[
            "Give the owner of the token, in the target, the right to read and change users and groups.",
        ],
    },
    Cause {
        code: "DuplicateTargetEntries",
        title: "Several accounts in the target match",
        remedies: &[
            "Make the matching attribute unique in the target: rename or remove the account that should not be there.",
            "Or match by another attribute, under Mappings.",
        ],
    },
    Cause {
        code: "DuplicateSourceEntries",
        title: "Another person here has the same counterpart",
        remedies: &[
            "Two people here map to one value of the matching attribute: correct it for one of them.",
        ],
    },
    Cause {
        code: "UnprocessableEntity",
        title: "The target does not accept the values",
        remedies: &[
            "Read the target's answer: it names the attribute.",
            "Correct the value in the directory, or map the attribute in another way.",
        ],
    },
    Cause {
        code: "InvalidAnchor",
        title: "The counterpart is not in the target any more",
        remedies: &[
            "Somebody deleted it there. The next cycle looks the person up again, and creates the account if it may.",
        ],
    },
    Cause {
        code: "MethodNotAllowed",
        title: "The target does not support this change",
        remedies: &[
            "Switch off this target action under Mappings, or ask the maker of the target for it.",
        ],
    },
    Cause {
        code: "NotImplemented",
        title: "The target does not support this change",
        remedies: &[
            "Switch off this target action under Mappings, or ask the maker of the target for it.",
        ],
    },
    Cause {
        code: "Timeout",
        title: "The target did not answer in time",
        remedies: &[
            "Nothing need be done: it is tried again.",
            "If it lasts, look in the target whether it is overloaded.",
        ],
    },
    Cause {
        code: "TooManyRequests",
        title: "The target asks for patience",
        remedies: &["Nothing need be done: the pace was lowered, and it is tried again."],
    },
    Cause {
        code: "InternalServerError",
        title: "The target has an error of its own",
        remedies: &[
            "Look into the target's log at this time, or show its maker the answer.",
            "It is tried again meanwhile.",
        ],
    },
    Cause {
        code: "WebExceptionProtocolError",
        title: "The target cannot be reached",
        remedies: &[
            "Test the connection under Provisioning: it says whether the name, the port or the certificate is the cause.",
        ],
    },
    Cause {
        code: rollcall_sync::task::INCOMPATIBLE,
        title: "The target does not speak SCIM",
        remedies: &[
            "Check the path of the Tenant URL, which often ends in /scim/v2 or /scim.",
            "Show the maker of the target the answer.",
        ],
    },
];
