//! `/organisation`: the organisation that the key opens.

use jiff::Timestamp;
use rollcall_model::{KeyRole, OrgId, Plan};

use crate::described::Nothing;
use crate::operation::{Call, GET, Operation};
use crate::problem::Problem;

words! {
    /// What the organisation has subscribed to.
    pub(crate) enum PlanWord {
        /// A paid account.
        Paid "paid",
        /// A trial that ends.
        Trial "trial",
    }
}

described! {
    /// The organisation that the API key opens.
    pub(crate) struct Organisation {
        /// Its id; it never changes.
        id: String,
        /// Its name in URLs.
        slug: String,
        /// Its name for people.
        name: String,
        /// The region in which it lives.
        region: String,
        /// What it has subscribed to.
        plan: PlanWord,
        /// From when on provisioning is refused; null: never.
        trial_ends: Option<Timestamp>,
        /// How many active people it may have; null: any number.
        seats: Option<u64>,
        /// How many people there are.
        people: u64,
        /// How many of them are active: the seats in use.
        active_people: u64,
        /// How many groups there are.
        groups: u64,
        /// When it was created.
        created: Timestamp,
        /// What this key may do: `read` or `manage`.
        role: String,
        /// The SCIM base URL that directories are given.
        tenant_url: String,
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    vec![Operation::new(
        (GET, "/organisation"),
        KeyRole::Read,
        (
            "getOrganisation",
            "Returns the organisation that the key opens",
        ),
        look,
    )]
}

async fn look(call: Call<Nothing, Nothing>) -> Result<Organisation, Problem> {
    let organisation = &*call.holder.organisation;
    let id: OrgId = organisation.id;
    let counts = call.api.app.counts(id).await?;
    let (plan, trial_ends) = match organisation.plan {
        Plan::Paid => (PlanWord::Paid, None),
        Plan::Trial { until } => (PlanWord::Trial, Some(until)),
    };
    Ok(Organisation {
        id: id.to_string(),
        slug: organisation.slug.to_string(),
        name: organisation.name.clone(),
        region: organisation.region.to_string(),
        plan,
        trial_ends,
        seats: organisation.seats.map(u64::from),
        people: counts.users,
        active_people: counts.active_users,
        groups: counts.groups,
        created: organisation.created,
        role: call.holder.role.to_string(),
        tenant_url: call.api.app.settings().tenant_url(organisation),
    })
}
