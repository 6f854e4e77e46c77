//! What holds whatever happens: the target fails, the sender dies, the source changes in between.

use proptest::prelude::*;
use rollcall_sync::source::SourceObject;
use serde_json::json;

use crate::target::{ID, Luck, Target, application, person, rules, run};

#[derive(Debug, Clone)]
struct Moment {
    name: u8,
    title: u8,
    is_active: bool,
    is_assigned: bool,
    luck: Vec<Luck>,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        5 => Just(Luck::Good),
        1 => Just(Luck::Lost),
        2 => Just(Luck::Unanswered),
        2 => Just(Luck::Killed),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    let lucks = proptest::collection::vec(luck(), 8);
    (
        0..3_u8,
        0..3_u8,
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.8),
        lucks,
    )
        .prop_map(|(name, title, is_active, is_assigned, luck)| Moment {
            name,
            title,
            is_active,
            is_assigned,
            luck,
        })
}

fn object(moment: &Moment) -> SourceObject {
    let more = json!({"title": format!("Title {}", moment.title), "active": moment.is_active});
    let name = format!("ann{}@example.com", moment.name);
    SourceObject {
        is_assigned: moment.is_assigned,
        ..person(&name, more)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn after_calm_the_target_is_as_the_source_says_and_nobody_was_created_twice(
        moments in proptest::collection::vec(moment(), 1..8),
    ) {
        let application = application();
        let rules = rules(&application);
        let stranger = json!({"userName": "stranger@example.com", "title": "Untouched", "active": true});
        let mut target = Target::with(&[stranger]);
        let mut link = None;
        for moment in &moments {
            let mut luck = moment.luck.iter().copied().cycle();
            run(&rules, &object(moment), &mut link, &mut target, || luck.next().unwrap());
        }
        let last = object(moments.last().unwrap());
        for _ in 0..2 {
            run(&rules, &last, &mut link, &mut target, || Luck::Good).unwrap();
        }

        prop_assert!(target.created <= 1, "created {} times", target.created);
        prop_assert_eq!(&target.resources[0]["title"], "Untouched");
        let wanted = moments.last().unwrap();
        let ann: Vec<_> = target.resources.iter().skip(1).collect();
        if wanted.is_active && wanted.is_assigned {
            prop_assert_eq!(ann.len(), 1);
            prop_assert_eq!(&ann[0]["userName"], &json!(format!("ann{}@example.com", wanted.name)));
            prop_assert_eq!(&ann[0]["title"], &json!(format!("Title {}", wanted.title)));
            prop_assert_eq!(&ann[0]["active"], true);
        } else {
            prop_assert_eq!(target.active(), 1, "only the stranger may be in use");
        }
        // a third look writes nothing
        let writes = target.writes;
        run(&rules, &last, &mut link, &mut target, || Luck::Good).unwrap();
        prop_assert_eq!(target.writes, writes);
    }

    #[test]
    fn who_is_deleted_at_the_source_is_gone_after_calm(moments in proptest::collection::vec(moment(), 1..6)) {
        let application = application();
        let rules = rules(&application);
        let (mut link, mut target) = (None, Target::default());
        for moment in &moments {
            let mut luck = moment.luck.iter().copied().cycle();
            run(&rules, &object(moment), &mut link, &mut target, || luck.next().unwrap());
        }
        let gone = SourceObject::gone(rollcall_model::Kind::User, ID.parse().unwrap());
        for _ in 0..2 {
            run(&rules, &gone, &mut link, &mut target, || Luck::Good).unwrap();
        }

        prop_assert!(target.resources.is_empty(), "{:?}", target.resources);
        prop_assert!(link.is_none());
    }
}
