//! The read API: what would change for a fleet, why a device is where it is, and whether everything
//! that a fleet needs is there.

use std::io;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Workload;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::answer::PlanAnswer;
use crate::board::{Board, Shown};
use crate::error::{NoAnswer, Refusal};
use crate::forward::{self, FORWARDED, Replica};
use crate::tls::{Identity, TlsListener};

/// The header in which the one who asks sends a token of the cluster. The API server's proxy keeps
/// `Authorization` for itself.
pub const TOKEN: &str = "x-diarchy-token";

/// What the read API must be told by others.
pub trait Backend: Send + Sync + 'static {
    /// What comes of looking at everything that a fleet needs.
    type Checks: Serialize + Send;

    /// Whether the owner of `token` may read about the devices of `fleet`.
    fn admit(
        &self,
        token: &str,
        fleet: &ObjectName,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// The replica that makes the passes over `fleet`, when it is another.
    fn elsewhere(&self, fleet: &ObjectName) -> Option<Replica>;

    /// What the next pass over `fleet` would do, after the pass that is `shown`.
    fn next(
        &self,
        fleet: &ObjectName,
        shown: Arc<Shown>,
    ) -> impl Future<Output = Result<PlanAnswer, String>> + Send;

    /// Looks at everything that `fleet` needs; nothing when it is not looked after here.
    fn check(&self, fleet: &ObjectName) -> impl Future<Output = Option<Self::Checks>> + Send;
}

/// The read API.
pub struct ReadApi<B> {
    backend: B,
    board: Board,
}

impl<B: Backend> ReadApi<B> {
    /// Answers from `board` whoever `backend` admits.
    pub fn new(backend: B, board: Board) -> Self {
        Self { backend, board }
    }

    /// Answers whoever comes to `listener`, as `identity`, for as long as the process runs.
    ///
    /// # Errors
    ///
    /// When the identity cannot be used.
    pub fn serve(self, listener: TcpListener, identity: Identity) -> io::Result<()> {
        let listener = TlsListener::new(listener, identity)?;
        let router = Router::new()
            .route(&of_fleet("plan"), get(plan::<B>))
            .route(&of_fleet("explain"), get(explain::<B>))
            .route(&of_fleet("history"), get(history::<B>))
            .route(&of_fleet("check"), get(check::<B>))
            .with_state(Arc::new(self));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "no question is answered any more");
            }
        });
        Ok(())
    }

    /// Admits the one who asks.
    async fn admit(&self, headers: &HeaderMap, fleet: &ObjectName) -> Result<(), NoAnswer> {
        let token = headers.get(TOKEN).and_then(|token| token.to_str().ok());
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            let none = format!("there is no header {TOKEN}");
            return Err(Refusal::Unknown(none).into());
        };
        Ok(self.backend.admit(token, fleet).await?)
    }

    /// The answer of the replica that has the fleet.
    async fn pass_on(
        &self,
        fleet: ObjectName,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response, NoAnswer> {
        let replica = self.backend.elsewhere(&fleet);
        let Some(replica) = replica.filter(|_| !headers.contains_key(FORWARDED)) else {
            return Err(NoAnswer::NotYet(fleet));
        };
        let answer = forward::ask(&replica, uri, headers).await;
        answer.map_err(|error| NoAnswer::Elsewhere {
            fleet,
            cause: error.without_url().to_string(),
        })
    }

    /// What the next pass would do.
    async fn next(
        &self,
        (namespace, name): (String, String),
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response, NoAnswer> {
        let fleet = ObjectName::new(namespace, name);
        self.admit(headers, &fleet).await?;
        let Some(shown) = self.board.get(&fleet) else {
            return self.pass_on(fleet, uri, headers).await;
        };
        let answer = self.backend.next(&fleet, shown).await;
        let answer = answer.map_err(|cause| NoAnswer::NotKnown { fleet, cause })?;
        Ok(Json(answer).into_response())
    }

    /// Answers from what is shown of the fleet, here or at another replica.
    async fn answer(
        &self,
        (namespace, name): (String, String),
        uri: &Uri,
        headers: &HeaderMap,
        make: impl FnOnce(&Shown) -> Result<Response, NoAnswer> + Send + 'static,
    ) -> Result<Response, NoAnswer> {
        let fleet = ObjectName::new(namespace, name);
        self.admit(headers, &fleet).await?;
        let Some(shown) = self.board.get(&fleet) else {
            return self.pass_on(fleet, uri, headers).await;
        };
        // It takes as long as deciding does.
        let answer = tokio::task::spawn_blocking(move || make(&shown)).await;
        answer.map_err(|error| NoAnswer::Internal(error.to_string()))?
    }
}

/// Where a question about a fleet is asked.
fn of_fleet(question: &str) -> String {
    format!("/api/v1/namespaces/{{namespace}}/fleets/{{name}}/{question}")
}

type Fleet = Path<(String, String)>;
type Api<B> = State<Arc<ReadApi<B>>>;

/// Which plan is asked for.
#[derive(Deserialize)]
struct Which {
    /// Only what the next pass would do.
    #[serde(default)]
    next: bool,
}

async fn plan<B: Backend>(
    State(api): Api<B>,
    Path(fleet): Fleet,
    Query(which): Query<Which>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, NoAnswer> {
    if which.next {
        return api.next(fleet, &uri, &headers).await;
    }
    let make = |shown: &Shown| {
        let answer = PlanAnswer::of_end(&shown.last, &shown.standing);
        let answer = answer.map_err(|error| NoAnswer::Internal(error.to_string()))?;
        Ok(Json(answer).into_response())
    };
    api.answer(fleet, &uri, &headers, make).await
}

/// What is to be explained.
#[derive(Deserialize)]
struct Question {
    device: String,
    workload: Option<String>,
}

impl Question {
    fn workloads(&self) -> Result<Vec<Workload>, NoAnswer> {
        let Some(workload) = &self.workload else {
            return Ok(Workload::ALL.to_vec());
        };
        let one: Result<Workload, _> = workload.parse();
        one.map(|one| vec![one])
            .map_err(|error| NoAnswer::Question(error.to_string()))
    }
}

async fn explain<B: Backend>(
    State(api): Api<B>,
    Path(fleet): Fleet,
    Query(question): Query<Question>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, NoAnswer> {
    let workloads = question.workloads()?;
    let make = move |shown: &Shown| {
        let row = shown.last.inventory.find(&question.device)?;
        let explanation = shown.last.explain(row, &workloads);
        Ok(Json(explanation).into_response())
    };
    api.answer(fleet, &uri, &headers, make).await
}

/// Whose history is asked for; everything without either.
#[derive(Deserialize)]
struct Whose {
    assignment: Option<String>,
    device: Option<String>,
}

async fn history<B: Backend>(
    State(api): Api<B>,
    Path(fleet): Fleet,
    Query(whose): Query<Whose>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, NoAnswer> {
    let make = move |shown: &Shown| {
        let all = &shown.last.history;
        let history = match (&whose.assignment, &whose.device) {
            (None, None) => return Ok(Json(all).into_response()),
            (Some(name), None) => all.of_assignment(name),
            (None, Some(named)) => all.of_device(named),
            (Some(_), Some(_)) => {
                let one = "of an assignment or of a device, not of both".to_owned();
                return Err(NoAnswer::Question(one));
            }
        };
        Ok(Json(history).into_response())
    };
    api.answer(fleet, &uri, &headers, make).await
}

async fn check<B: Backend>(
    State(api): Api<B>,
    Path((namespace, name)): Fleet,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, NoAnswer> {
    let fleet = ObjectName::new(namespace, name);
    api.admit(&headers, &fleet).await?;
    match api.backend.check(&fleet).await {
        Some(checks) => Ok(Json(checks).into_response()),
        None => api.pass_on(fleet, &uri, &headers).await,
    }
}
