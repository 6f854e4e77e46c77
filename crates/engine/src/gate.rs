//! Lets through what a plan foresees, and nothing else.
//!
//! Each request is compared with the next one that the plan has for its object, byte for byte, before it goes out; the target's ids of
//! objects that the plan creates itself are placeholders there. The first one that differs ends the cycle.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;

use rollcall_model::{Kind, ResourceId};
use rollcall_sync::plan::Plan;
use rollcall_sync::request::{Request, placeholder};
use rollcall_sync::task::{Trouble, Write};

use crate::Error;
use crate::work::{Work, locked};

/// What a request that no plan foresees is called.
pub(crate) const UNPLANNED: &str = "NotPlanned";

/// The requests of a plan that have not gone out yet.
#[derive(Debug)]
pub(crate) struct Gate {
    expected: Mutex<BTreeMap<(Kind, ResourceId), VecDeque<Request>>>,
    /// The ids that the target has given, by their placeholders.
    given: Mutex<HashMap<String, String>>,
}

impl Gate {
    pub(crate) fn new(plan: &Plan) -> Self {
        let requests = plan.requests().into_iter();
        Self {
            expected: Mutex::new(requests.map(|(key, all)| (key, all.into())).collect()),
            given: Mutex::default(),
        }
    }

    /// Tells whether a request is the next one of its object in the plan, and takes it out.
    pub(crate) fn admits(
        &self,
        work: &Work,
        kind: Kind,
        object: ResourceId,
        write: &Write,
    ) -> Result<(), Trouble> {
        let request = Request::of(kind, &work.rules.of(kind).redacted(write));
        let next = locked(&self.expected)
            .get_mut(&(kind, object))
            .and_then(VecDeque::pop_front);
        let given = locked(&self.given);
        let next = next.map(|next| next.with(&|text| given.get(text).cloned()));
        if next.as_ref() == Some(&request) {
            return Ok(());
        }
        let message = format!(
            "{} {} is not what the plan foresees for it: both ends moved while the plan was carried out; make a new plan",
            request.method, request.path
        );
        Err(Trouble::of_target(UNPLANNED, message))
    }

    /// Notes the id that the target gave to an object of the plan.
    pub(crate) fn gave(&self, object: ResourceId, id: &str) {
        locked(&self.given).insert(placeholder(object), id.to_owned());
    }

    /// Makes sure that everything went out.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match locked(&self.expected).values().map(VecDeque::len).sum() {
            0_usize => Ok(()),
            rest => Err(Error::Deviated(format!(
                "{rest} requests of the plan were not needed: the target or the source moved while it was carried out"
            ))),
        }
    }
}
