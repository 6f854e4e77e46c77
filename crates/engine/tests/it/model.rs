//! The reference model: whatever a target does wrong, and wherever a cycle dies, both ends come to agree, nobody is created twice, and
//! nobody loses access whom the source has in use.
//!
//! Each seed makes a directory, an application and a target, changes the source in rounds, and runs a cycle after each (or during it) under
//! faults; then the target calms down, and two cycles have to be enough. `ROLLCALL_SEED=17 cargo nextest run -p rollcall-engine model`
//! runs one seed and tells its story; `ROLLCALL_SEEDS=5000` runs more of them.

use jiff::SignedDuration;
use rollcall_engine::Watch;
use rollcall_model::provisioning::CycleOutcome;
use rollcall_testkit::Fault;

use crate::run::{Run, is_held};
use crate::seeds::each_seed;

/// How many seeds are run.
const SEEDS: u64 = 500;

impl Run {
    async fn rounds(&mut self) {
        for _ in 0..self.chance.within(3, 6) {
            let report = self.cycle().await;
            let outcome = report.as_ref().map(|report| &report.outcome);
            self.source.is_settled = outcome == Some(&CycleOutcome::Succeeded);
            if report.as_ref().is_some_and(is_held) && self.chance.happens(50) {
                self.allow().await;
            }
            let minutes = self.chance.within(0, 60);
            self.ends
                .pass(SignedDuration::from_mins(i64::try_from(minutes).unwrap()));
            for _ in 0..self.chance.within(1, 6) {
                self.change().await;
            }
        }
    }

    async fn whole(&mut self) {
        self.rounds().await;
        self.ends.target.calm();
        self.complete_cycle().await;
        let report = self.complete_cycle().await;
        assert_eq!(report.outcome, CycleOutcome::Succeeded, "{report:#?}");
        let (engine, context) = (&self.ends.engine, &self.ends.source);
        let mut agreement = engine
            .compare(context, self.ends.application)
            .await
            .unwrap();
        // nobody can notice by a cycle that members were taken and dropped
        if !agreement.holds() && self.setting.plays(|fault| *fault == Fault::MembersLost) {
            let watch = Watch::default();
            let repair = engine.repair(context, self.ends.application, &agreement, watch);
            let report = repair.await.unwrap();
            assert_eq!(report.outcome, CycleOutcome::Succeeded, "{report:#?}");
            agreement = engine
                .compare(context, self.ends.application)
                .await
                .unwrap();
        }
        let wrong = self.wrong();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(agreement.holds(), "{agreement:#?}");

        let before = self.ends.target.last_request();
        self.ends.pass(SignedDuration::from_mins(1));
        let report = self.ends.cycle().await;
        let writes = self.ends.target.writes_since(before);
        assert!(writes.is_empty() && !report.has_exports(), "{writes:#?}");
    }
}

#[test]
fn both_ends_agree_whatever_goes_wrong() {
    each_seed(SEEDS, |seed, story| async move {
        Run::new(seed, story).await.whole().await;
    });
}
