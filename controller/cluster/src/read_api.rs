//! Who may ask about a fleet, who can answer, and what a fleet needs.

use std::sync::Arc;

use diarchy_core::code::Code;
use diarchy_core::resource::{GROUP, Kind, ObjectName};
use diarchy_operator::check::{self, Check, CheckState};
use diarchy_operator::next::Remembered;
use diarchy_web::{Backend, PlanAnswer, Refusal, Replica, Shown, Standing, WaitingChanges};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};

use crate::fleet_task::Shared;
use crate::holds::Thing;
use crate::in_words;
use crate::records::Records;
use crate::snapshot::Snapshot;
use crate::tenant;

/// What stands for everything that is told of a fleet's devices, in access control.
const DEVICES: &str = "devices";

/// What the read API asks of the cluster.
pub struct ReadBackend(pub Arc<Shared>);

impl ReadBackend {
    /// Who the owner of a token is.
    async fn owner(&self, token: &str) -> Result<UserInfo, Refusal> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.to_owned(),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(self.0.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| not_found_out("TokenReview", &error))?;
        let status = answer.status.unwrap_or_default();
        match status.user {
            Some(user) if status.authenticated == Some(true) => Ok(user),
            _ => {
                let why = status.error.map(|error| format!(": {error}"));
                Err(Refusal::Unknown(format!(
                    "the API server does not know the token{}",
                    why.unwrap_or_default()
                )))
            }
        }
    }

    /// The estate of a fleet, if it can be told.
    fn estate(&self, fleet: &ObjectName) -> Option<Thing> {
        let fleets = self.0.objects.fleets.all();
        let of_name = fleets.iter().find(|one| {
            one.namespace().as_ref() == Some(&fleet.namespace) && one.name_any() == fleet.name
        });
        let spec = &of_name?.0.as_ref().ok()?.spec;
        Some(Thing::estate(&spec.site_code(), &spec.tenant_id()))
    }
}

impl Backend for ReadBackend {
    type Checks = Vec<Check>;

    async fn admit(&self, token: &str, fleet: &ObjectName) -> Result<(), Refusal> {
        let user = self.owner(token).await?;
        let who = user.username.clone().unwrap_or_default();
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: user.extra,
                resource_attributes: Some(ResourceAttributes {
                    group: Some(GROUP.to_owned()),
                    resource: Some("fleets".to_owned()),
                    subresource: Some(DEVICES.to_owned()),
                    verb: Some("get".to_owned()),
                    namespace: Some(fleet.namespace.clone()),
                    name: Some(fleet.name.clone()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(self.0.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| not_found_out("SubjectAccessReview", &error))?;
        if answer.status.is_some_and(|status| status.allowed) {
            return Ok(());
        }
        let fleet = fleet.clone();
        Err(Refusal::Forbidden { who, fleet })
    }

    fn elsewhere(&self, fleet: &ObjectName) -> Option<Replica> {
        self.0.holds.replica_with(&self.estate(fleet)?)
    }

    async fn next(&self, fleet: &ObjectName, shown: Arc<Shown>) -> Result<PlanAnswer, String> {
        let tenant = tenant::assemble(&Snapshot::of(&self.0.objects), &fleet.namespace);
        let found = tenant.of_name(fleet).ok_or("it is not valid now")?;
        // Its loop has remembered everything before this is asked.
        let mut records = Records::new(self.0.client.clone(), fleet.clone(), &found.uid);
        let memory = records.load().await.map_err(|error| error.to_string())?;
        let remembered = Remembered::after(memory, found.existing.clone());
        let (key, now) = (found.revision.clone(), self.0.clock.now());
        let answer = tokio::task::spawn_blocking(move || {
            let Some(devices) = remembered.memory().sizes else {
                return Err("no inventory has been believed yet".to_owned());
            };
            let next = remembered.next_pass(shown.last.engine_at(now), devices, &key);
            let standing = Standing {
                waiting: next.waiting.as_ref().map(WaitingChanges::from),
                stopped: next.stopped.map(|why| why.to_string()),
            };
            PlanAnswer::of_next((&next.plan, &next.engine), &shown.last, &standing)
                .map_err(|error| error.to_string())
        });
        answer.await.map_err(|error| error.to_string())?
    }

    async fn check(&self, fleet: &ObjectName) -> Option<Vec<Check>> {
        let estate = self.estate(fleet)?;
        if !self.0.holds.has(&estate) {
            return None;
        }
        let tenant = tenant::assemble(&Snapshot::of(&self.0.objects), &fleet.namespace);
        let Some(found) = tenant.of_name(fleet) else {
            let problem = tenant.problems.get(&(Kind::Fleet, fleet.clone()));
            let problem = problem.map_or("it is being deleted", String::as_str);
            return Some(vec![Check::not_well(
                CheckState::Failed,
                "Fleet",
                Code::FleetNotChosen,
                problem,
                "mend it first: nothing else can be looked at",
            )]);
        };
        let mut checks: Vec<Check> = tenant
            .problems
            .iter()
            .map(|((kind, name), problem)| {
                Check::invalid(&format!("{kind} {}", name.name), problem)
            })
            .collect();
        checks.extend(check::fleet(&found.loaded, self.0.connect.as_ref(), &self.0.clock).await);
        Some(checks)
    }
}

fn not_found_out(what: &str, error: &kube::Error) -> Refusal {
    let error = in_words::of(error);
    tracing::warn!(what, error, "who asks could not be found out");
    Refusal::NotFoundOut(format!("{what}: {error}"))
}
