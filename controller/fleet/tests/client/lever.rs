//! The one lever: what it writes, what it leaves alone, and that it never writes anything twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::consequence::Consequence;
use diarchy_core::inventory::Holder;
use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Workload;
use diarchy_fleet::site::collection::CollectionId;
use diarchy_fleet::site::lever::{
    Blocked, Claimant, Journal, JournalError, LeverMemory, LeverOptions, LeverReport,
    MembershipChange, Outcome, Stopped, Write,
};
use diarchy_fleet::site::pending::RuleState;
use diarchy_fleet::site::pilot::{Hazard, PilotState};
use diarchy_fleet::site::state::{SiteState, StateRequest};
use diarchy_fleet::site::{SiteClient, SiteOptions};

use crate::service::{Server, fast, serve, site, site_options};
use crate::site_stub::{Collection, Shared, Site};

const PILOT: &str = "PS100021";
const CLAIM: &str = "PS100020";
const WORKLOAD: Workload = Workload::ClientApps;

#[derive(Default)]
struct Notebook {
    lines: Mutex<Vec<String>>,
    full: bool,
}

impl Journal for Notebook {
    async fn about_to_send(&self, write: &Write) -> Result<(), JournalError> {
        if self.full {
            return Err(JournalError("no space left".into()));
        }
        self.lines.lock().unwrap().push(format!("? {write}"));
        Ok(())
    }

    async fn sent(&self, write: &Write, outcome: &Outcome) -> Result<(), JournalError> {
        self.lines
            .lock()
            .unwrap()
            .push(format!("! {write} {outcome:?}"));
        Ok(())
    }
}

struct Bench {
    shared: Shared,
    server: Server,
    client: SiteClient,
    memory: LeverMemory,
    journal: Notebook,
}

fn claimant() -> Claimant {
    Claimant {
        epoch: 3,
        installation: "here".into(),
    }
}

fn collection(comment: &str) -> Collection {
    Collection {
        name: comment.into(),
        comment: comment.into(),
        limiting: "SMS00001".into(),
        ..Collection::default()
    }
}

impl Bench {
    async fn new(tells_rules: bool) -> Self {
        let collections = [
            (PILOT, collection("Ask Ana.\r\ndiarchy: contoso/ClientApps")),
            (CLAIM, collection("diarchy claim: contoso 3 here")),
            ("PS100019", collection("diarchy claim: contoso 2 there")),
        ];
        let shared: Shared = Arc::new(Mutex::new(Site {
            collections: collections.map(|(id, found)| (id.to_owned(), found)).into(),
            deployments: vec![(PILOT.into(), "CoMgmtSettingsPilotCA".into())],
            tells_rules,
            lists_of_one: tells_rules,
            all: (1..=30_000).collect(),
            ..Site::default()
        }));
        let served = Arc::clone(&shared);
        let server = serve(move |asked, _| served.lock().unwrap().reply(asked)).await;
        let client = site(&[&server.url], &fast());
        Self {
            shared,
            server,
            client,
            memory: LeverMemory::default(),
            journal: Notebook::default(),
        }
    }

    fn site(&self) -> std::sync::MutexGuard<'_, Site> {
        self.shared.lock().unwrap()
    }

    async fn state(&self) -> SiteState {
        let request = StateRequest {
            fleet: "contoso".into(),
            pilots: BTreeMap::from([(WORKLOAD.into(), PILOT.parse().unwrap())]),
        };
        self.client.state(&request).await.unwrap()
    }

    async fn pull(&mut self, changes: &[MembershipChange]) -> LeverReport {
        let state = self.state().await;
        let options = LeverOptions::default();
        self.client
            .carry_out(
                &state,
                &claimant(),
                changes,
                &mut self.memory,
                &self.journal,
                &options,
            )
            .await
    }

    async fn pilot_state(&self) -> PilotState {
        self.state().await.pilots[&WORKLOAD.into()].state.clone()
    }
}

fn place(assignment: &str, devices: impl IntoIterator<Item = u32>) -> MembershipChange {
    MembershipChange {
        staged: WORKLOAD.into(),
        owner: ObjectName::new("contoso", assignment),
        uid: "uid-1".into(),
        add: devices.into_iter().collect(),
        remove: BTreeMap::new(),
    }
}

#[tokio::test]
async fn devices_are_placed_once_through_an_owned_collection() {
    for tells_rules in [true, false] {
        let mut bench = Bench::new(tells_rules).await;
        let report = bench.pull(&[place("apps", 1..=1500)]).await;
        assert_eq!(report.stopped, None);
        assert_eq!(report.blocked, []);
        assert_eq!(
            bench.site().writes,
            [
                "SMS_Collection",
                "AddMembershipRule PS100021",
                "AddMembershipRules PS100103",
                "AddMembershipRules PS100103",
                "RequestRefresh PS100103",
                "RequestRefresh PS100021",
            ]
        );
        let state = bench.state().await;
        assert_eq!(
            state.pilots[&WORKLOAD.into()].state,
            PilotState::Marked,
            "{tells_rules}"
        );
        let assigned = state.assigned(&BTreeMap::new());
        assert_eq!(assigned.holders.len(), 1500);
        let holder = Holder::Owned(ObjectName::new("contoso", "apps"));
        assert_eq!(assigned.holders[&7][&WORKLOAD], [holder]);
        let uids = BTreeMap::from([(ObjectName::new("contoso", "apps"), "uid-2".to_owned())]);
        let retained = Holder::Retained(ObjectName::new("contoso", "apps"));
        assert_eq!(state.assigned(&uids).holders[&7][&WORKLOAD], [retained]);

        let again = bench.pull(&[place("apps", 1..=1500)]).await;
        assert_eq!((again.writes, again.already), (vec![], 1500));
        // Noted before and after, each of six.
        assert_eq!(bench.journal.lines.lock().unwrap().len(), 12);
    }
}

#[tokio::test]
async fn a_collection_is_never_filled_beyond_its_limit() {
    let mut bench = Bench::new(true).await;
    bench.pull(&[place("apps", 1..=12_000)]).await;
    bench.pull(&[place("apps", 1..=21_000)]).await;
    let sizes: Vec<usize> = bench
        .site()
        .collections
        .values()
        .map(|collection| collection.direct.len())
        .filter(|rules| *rules > 0)
        .collect();
    assert_eq!(sizes, [10_000, 10_000, 1_000]);
    let names: BTreeSet<String> = bench
        .site()
        .collections
        .values()
        .map(|c| c.name.clone())
        .collect();
    assert_eq!(names.len(), bench.site().collections.len());
}

/// The owned collection that has a member.
fn holding(state: &SiteState, resource: u32) -> CollectionId {
    let mut holding = state.owned.values().filter(|owned| {
        let members = owned.members.as_ref().unwrap();
        owned.staged == WORKLOAD.into() && members.contains(&resource)
    });
    holding.next().unwrap().id.clone()
}

#[tokio::test]
async fn a_hand_over_adds_before_it_removes() {
    let mut bench = Bench::new(true).await;
    bench.pull(&[place("apps", [1, 2])]).await;
    bench.site().writes.clear();
    let state = bench.state().await;
    let mut change = place("apps-2", [1]);
    change.remove = BTreeMap::from([(holding(&state, 1), vec![1])]);
    let report = bench.pull(&[change]).await;
    assert_eq!(report.stopped, None);
    assert_eq!(
        bench.site().writes,
        [
            "SMS_Collection",
            "AddMembershipRule PS100021",
            "AddMembershipRules PS100104",
            "DeleteMembershipRules PS100103",
            "RequestRefresh PS100104",
            "RequestRefresh PS100103",
            "RequestRefresh PS100021",
        ]
    );
    assert_eq!(
        bench.site().collections[PILOT].members,
        BTreeSet::from([1, 2])
    );
}

#[tokio::test]
async fn a_device_that_cannot_be_placed_anew_stays_where_it_is() {
    let mut bench = Bench::new(true).await;
    bench.pull(&[place("apps", [1])]).await;
    let state = bench.state().await;
    let mut change = place("apps-2", [1]);
    change.remove = BTreeMap::from([(holding(&state, 1), vec![1])]);
    bench.site().return_value = 5;
    let report = bench.pull(&[change]).await;
    assert!(matches!(
        report.writes[0].1,
        Outcome::Refused {
            return_value: Some(5),
            ..
        }
    ));
    assert!(
        !report
            .writes
            .iter()
            .any(|(write, _)| matches!(write, Write::DeleteRules { .. }))
    );
    assert_eq!(report.blocked.len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_lost_ends_the_pull_and_nothing_is_sent_twice() {
    for tells_rules in [true, false] {
        for lost in 1..=5 {
            let mut bench = Bench::new(tells_rules).await;
            let change = [place("apps", [1, 2, 3])];
            bench.site().lose = lost;
            let report = bench.pull(&change).await;
            assert_eq!(report.writes.len(), lost, "{report:?}");
            assert!(
                matches!(report.stopped, Some(Stopped::Unknown(_))),
                "{report:?}"
            );
            // A new process remembers nothing, which matters where rules are not told.
            if tells_rules {
                bench.memory = LeverMemory::default();
            }
            for _ in 0..3 {
                bench.pull(&change).await;
            }
            let members = bench.site().collections[PILOT].members.clone();
            assert_eq!(members, BTreeSet::from([1, 2, 3]), "{tells_rules} {lost}");
            assert_eq!(bench.pull(&change).await.writes, []);
        }
    }
}

#[tokio::test]
async fn a_pull_that_was_cut_off_before_evaluation_is_finished_by_the_next() {
    let mut bench = Bench::new(true).await;
    bench.pull(&[place("apps", [1])]).await;
    // Killed after a rule was added, before evaluation was asked for.
    {
        let mut site = bench.site();
        let owned = site.collections.get_mut("PS100103").unwrap();
        owned.direct.insert(2);
        owned.changed = owned.refreshed + 50;
        site.writes.clear();
    }
    bench.memory = LeverMemory::default();
    bench.pull(&[place("apps", [2])]).await;
    assert_eq!(
        bench.site().writes,
        ["RequestRefresh PS100103", "RequestRefresh PS100021"]
    );
    assert_eq!(
        bench.site().collections[PILOT].members,
        BTreeSet::from([1, 2])
    );
}

#[tokio::test]
async fn a_rule_outside_the_limiting_collection_is_told_and_not_sent_again() {
    let mut bench = Bench::new(true).await;
    bench.site().all = BTreeSet::from([1]);
    bench.pull(&[place("apps", [1, 2])]).await;
    bench.memory = LeverMemory::default();
    let pending = bench.state().await.pending(&bench.memory);
    assert_eq!(pending.len(), 1);
    assert_eq!(
        (pending[0].resource, pending[0].state),
        (2, RuleState::OutsideLimitingCollection)
    );
    assert_eq!(bench.pull(&[place("apps", [1, 2])]).await.writes, []);
}

#[tokio::test]
async fn only_the_holder_of_the_highest_epoch_writes() {
    let mut bench = Bench::new(true).await;
    let later = collection("diarchy claim: contoso 4 elsewhere");
    bench.site().collections.insert("PS100030".into(), later);
    let report = bench.pull(&[place("apps", [1])]).await;
    assert!(matches!(&report.stopped, Some(Stopped::NotHolder(Some(claim))) if claim.epoch == 4));
    assert_eq!(bench.site().writes, [""; 0]);
    let outcome = bench
        .client
        .create_claim(
            "contoso",
            &Claimant {
                epoch: 5,
                installation: "here".into(),
            },
            &bench.journal,
        )
        .await;
    assert_eq!(outcome, Ok(Outcome::Sent));
    let claim = bench.state().await.claim_in_force().cloned().unwrap();
    assert_eq!((claim.epoch, claim.installation.as_str()), (5, "here"));
}

#[tokio::test]
async fn nothing_leaves_that_the_journal_could_not_note() {
    let mut bench = Bench::new(true).await;
    bench.journal.full = true;
    let report = bench.pull(&[place("apps", [1])]).await;
    assert!(matches!(report.stopped, Some(Stopped::Journal(_))));
    assert_eq!(bench.site().writes, [""; 0]);
}

#[tokio::test]
async fn a_pilot_collection_that_is_not_safe_is_not_written_to() {
    type Spoil = fn(&mut Site);
    let spoils: [(Spoil, fn(&PilotState) -> bool); 6] = [
        (
            |site| site.collections.get_mut(PILOT).unwrap().comment = "Ask Ana.".into(),
            |state| *state == PilotState::NotMarked,
        ),
        (
            |site| site.collections.get_mut(PILOT).unwrap().windows = 1,
            |state| *state == PilotState::Unsafe(vec![Hazard::MaintenanceWindow]),
        ),
        (
            |site| site.collections.get_mut("PS100019").unwrap().limiting = PILOT.into(),
            |state| matches!(state, PilotState::Unsafe(found) if matches!(found[0], Hazard::Limits(_))),
        ),
        (
            |site| {
                let other = site.collections.get_mut("PS100019").unwrap();
                other.includes.insert(PILOT.into());
            },
            |state| matches!(state, PilotState::Unsafe(found) if matches!(found[0], Hazard::IncludedBy(_))),
        ),
        (
            |site| site.deployments.push((PILOT.into(), "Office 2024".into())),
            |state| matches!(state, PilotState::Unsafe(found) if matches!(found[0], Hazard::Deployments(_))),
        ),
        (
            |site| {
                site.tells_rules = false;
                let other = site.collections.get_mut("PS100019").unwrap();
                other.includes.insert("PS100020".into());
            },
            |state| matches!(state, PilotState::Unsafe(found) if matches!(found[0], Hazard::Unknown(_))),
        ),
    ];
    for (at, (spoil, expected)) in spoils.into_iter().enumerate() {
        let mut bench = Bench::new(true).await;
        spoil(&mut bench.site());
        let state = bench.pilot_state().await;
        assert!(expected(&state), "{at}: {state:?}");
        let report = bench.pull(&[place("apps", [1])]).await;
        assert_eq!(report.blocked.len(), 1, "{at}");
        assert_eq!(bench.site().writes, [""; 0], "{at}");
    }
}

#[tokio::test]
async fn a_failure_that_passes_says_nothing_of_a_pilot_collection() {
    const OTHER: &str = "PS100019";
    for (failing, status, is_judged) in
        [(PILOT, 500, false), (OTHER, 500, false), (OTHER, 403, true)]
    {
        let mut bench = Bench::new(true).await;
        {
            let mut site = bench.site();
            let other = site.collections.get_mut(OTHER).unwrap();
            other.includes.insert(CLAIM.into());
            site.failing = Some((failing.to_owned(), status));
        }
        let state = bench.pilot_state().await;
        match &state {
            PilotState::Unreadable(error) => {
                assert!(
                    !is_judged && error.consequence() == Consequence::Retry,
                    "{error}"
                );
            }
            PilotState::Unsafe(hazards) => {
                assert!(
                    is_judged && matches!(hazards[..], [Hazard::Unknown(_)]),
                    "{state:?}"
                );
            }
            _ => panic!("{failing} {status}: {state:?}"),
        }
        let report = bench.pull(&[place("apps", [1])]).await;
        assert_eq!(report.blocked.len(), 1, "{failing} {status}");
        assert_eq!(bench.site().writes, [""; 0], "{failing} {status}");
        bench.site().failing = None;
        assert_eq!(bench.pilot_state().await, PilotState::Marked);
    }
}

#[tokio::test]
async fn no_second_collection_is_made_while_the_first_cannot_be_read() {
    let mut bench = Bench::new(true).await;
    bench.pull(&[place("apps", [1])]).await;
    let made: BTreeSet<String> = bench.site().collections.keys().cloned().collect();
    let own = made.last().unwrap().clone();
    bench.site().writes.clear();
    bench.site().failing = Some((own.clone(), 500));
    let report = bench.pull(&[place("apps", [1, 2])]).await;
    let blocked: Vec<&Blocked> = report.blocked.iter().map(|(.., why)| why).collect();
    assert_eq!(blocked, [&Blocked::Unread(own.parse().unwrap())]);
    assert_eq!(bench.site().writes, [""; 0]);
    bench.site().failing = None;
    let report = bench.pull(&[place("apps", [1, 2])]).await;
    assert_eq!(report.blocked, []);
    let site = bench.site();
    assert!(site.collections.keys().eq(&made));
    assert_eq!(site.collections[&own].direct, BTreeSet::from([1, 2]));
}

#[tokio::test]
async fn members_that_diarchy_did_not_make_are_foreign_and_left_alone() {
    let mut bench = Bench::new(true).await;
    {
        let mut site = bench.site();
        let pilot = site.collections.get_mut(PILOT).unwrap();
        pilot.direct.insert(9);
        pilot.members.extend([9, 10]);
    }
    bench.pull(&[place("apps", [1, 9])]).await;
    let state = bench.state().await;
    let assigned = state.assigned(&BTreeMap::new());
    let owned = Holder::Owned(ObjectName::new("contoso", "apps"));
    assert_eq!(
        assigned.holders[&9][&WORKLOAD],
        [Holder::Foreign, owned.clone()]
    );
    assert_eq!(assigned.holders[&1][&WORKLOAD], [owned]);
    let mut change = place("apps", []);
    change.remove = BTreeMap::from([(PILOT.parse().unwrap(), vec![9])]);
    bench.site().writes.clear();
    let report = bench.pull(&[change]).await;
    assert_eq!((report.blocked.len(), bench.site().writes.len()), (1, 0));
    assert!(bench.site().collections[PILOT].direct.contains(&9));
}

#[tokio::test]
async fn a_list_without_comments_is_no_state() {
    let server = serve(|_, _| {
        crate::service::Reply::list(serde_json::json!([{ "CollectionID": PILOT, "Name": "x" }]))
    })
    .await;
    let request = StateRequest::default();
    assert!(site(&[&server.url], &fast()).state(&request).await.is_err());
}

/// A page that comes back short would make what Diarchy made look like somebody else's.
#[tokio::test]
async fn a_list_that_lacks_what_a_pilot_includes_is_no_state() {
    let mut bench = Bench::new(true).await;
    let report = bench.pull(&[place("apps-1", [1])]).await;
    assert_eq!(report.stopped, None, "{report:#?}");
    let owned = bench.state().await.owned.into_keys().next().unwrap();
    bench.site().unlisted = Some(owned.to_string());
    let request = StateRequest {
        fleet: "contoso".into(),
        pilots: BTreeMap::from([(WORKLOAD.into(), PILOT.parse().unwrap())]),
    };
    let refused = bench.client.state(&request).await.unwrap_err();
    let told = format!("without {owned}, which there is");
    assert!(refused.to_string().contains(&told), "{refused}");
}

/// Another may hold what is written to by the time that a service asks to wait for.
#[tokio::test]
async fn a_write_is_given_up_in_time_whatever_the_site_asks_for() {
    let mut bench = Bench::new(true).await;
    bench.site().throttles = true;
    let options = SiteOptions {
        write_deadline: Duration::from_millis(300),
        ..site_options(&[&bench.server.url])
    };
    bench.client = SiteClient::new(&options, &Clock::system(), &Arc::default()).unwrap();
    let report = bench.pull(&[place("apps-1", [1])]).await;
    assert_eq!(bench.site().writes.len(), 1, "{report:#?}");
    let [(_, Outcome::Unknown { detail })] = report.writes.as_slice() else {
        panic!("{report:#?}");
    };
    assert!(detail.contains("300ms"), "{detail}");
    assert!(report.stopped.is_some(), "{report:#?}");
}
