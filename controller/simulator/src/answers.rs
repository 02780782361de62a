//! From a request to its answer: credentials, limits, faults, and then the service.

use serde_json::{Value, json};

use crate::admin::writes::{Misunderstood, Voice, parse, perform};
use crate::columns::Context;
use crate::faults::{Failure, Service, instead};
use crate::http::{Answer, Call};
use crate::log::{Cause, Effect};
use crate::moment::time;
use crate::server::{Core, Shared};
use crate::sign_in::Welcome;
use crate::throttle::Meter;
use crate::{admin, graph};

/// The answer to `call`.
pub(crate) fn respond(
    shared: &Shared,
    service: Service,
    call: &Call,
    failures: &[Failure],
) -> Answer {
    let mut core = shared.core_now();
    match service {
        Service::Graph if call.path.ends_with("/oauth2/v2.0/token") => {
            token(shared, &mut core, call, failures)
        }
        Service::Graph => ask_graph(shared, &mut core, call, failures),
        Service::AdminService if call.writes() => write(shared, &mut core, call, failures),
        Service::AdminService => ask_site(shared, &mut core, call, failures),
    }
}

fn token(shared: &Shared, core: &mut Core, call: &Call, failures: &[Failure]) -> Answer {
    if let Some(answer) = instead(Service::Graph, failures, false) {
        return answer;
    }
    let path = format!("/{}/oauth2/v2.0/token", core.world.setup.tenant_id);
    if !call.path.eq_ignore_ascii_case(&path) {
        let body = json!({
            "error": "invalid_request",
            "error_description": "AADSTS90002: Tenant not found.",
            "error_codes": [90002],
        });
        return Answer::json(400, &body);
    }
    let endpoint = format!("{}{path}", shared.graph);
    let scope = format!("{}/.default", shared.graph);
    let now = core.world.now;
    core.credentials.grant(call, &endpoint, &scope, now)
}

fn ask_graph(shared: &Shared, core: &mut Core, call: &Call, failures: &[Failure]) -> Answer {
    let now = core.world.now;
    if !core.credentials.graph_allows(call, now) {
        let words = "Access token is missing, unknown or expired.";
        return graph::error(call, &core.world, 401, "InvalidAuthenticationToken", words)
            .with("www-authenticate", "Bearer realm=\"\"");
    }
    let meters = graph::meters(call);
    if let Err(throttled) = core.throttle.count(&shared.limits, meters, now) {
        return graph::throttled(call, &core.world, throttled);
    }
    if let Some(answer) = instead(Service::Graph, failures, false) {
        return answer;
    }
    graph::answer(graph::Request {
        call,
        context: context(shared, core),
        endpoint: &shared.graph,
        failures,
        credentials: &core.credentials,
    })
}

fn context<'a>(shared: &'a Shared, core: &'a Core) -> Context<'a> {
    Context {
        world: &core.world,
        behaviour: &shared.behaviour,
        beta: false,
        by_key: false,
    }
}

/// What the AdminService says before it looks at a request; with an error it looks no further.
fn gate(shared: &Shared, core: &mut Core, call: &Call) -> Result<Welcome, (&'static str, Answer)> {
    let now = core.world.now;
    let welcome = core
        .door
        .admit(call, &call.session, now)
        .map_err(|answer| ("not authenticated", *answer))?;
    let meter = [Meter::AdminService(call.client)];
    let throttled = core.throttle.count(&shared.limits, meter, now);
    match throttled {
        Ok(()) => Ok(welcome),
        Err(throttled) => {
            let status = shared.behaviour.admin_throttle_status;
            let wait = throttled.wait.div_euclid(1000) + 1;
            let answer = Answer::admin_error(status, "Too many requests.");
            Err(("throttled", answer.with("retry-after", wait.to_string())))
        }
    }
}

fn ask_site(shared: &Shared, core: &mut Core, call: &Call, failures: &[Failure]) -> Answer {
    let welcome = match gate(shared, core, call) {
        Ok(welcome) => welcome,
        Err((_, answer)) => return answer,
    };
    if let Some(answer) = instead(Service::AdminService, failures, false) {
        return answer;
    }
    welcome.with(admin::answer(&admin::Request {
        call,
        context: context(shared, core),
        endpoint: &shared.site,
        failures,
    }))
}

/// How this site puts its answers to writes.
pub(crate) fn voice(shared: &Shared) -> Voice<'_> {
    Voice {
        behaviour: &shared.behaviour,
        metadata: format!("{}{}/wmi/$metadata", shared.site, admin::BASE),
    }
}

fn write(shared: &Shared, core: &mut Core, call: &Call, failures: &[Failure]) -> Answer {
    let body = call.json();
    let (effect, answer) = attempt(shared, core, call, &body, failures);
    let cause = Cause::Write {
        method: call.method.to_string(),
        path: call.path.clone(),
        body,
    };
    let at = time(core.world.now);
    let answered = !failures.contains(&Failure::CutOff);
    let status = Some(answer.status.as_u16());
    match core.log.append(at, cause, effect, status, answered) {
        Ok(()) => answer,
        Err(error) => {
            tracing::error!(%error, "a write could not be logged");
            Answer::admin_error(500, "The write log of the simulated site failed.")
        }
    }
}

fn attempt(
    shared: &Shared,
    core: &mut Core,
    call: &Call,
    body: &Value,
    failures: &[Failure],
) -> (Effect, Answer) {
    let refused = |reason: &str| Effect::Refused {
        reason: reason.to_owned(),
    };
    let welcome = match gate(shared, core, call) {
        Ok(welcome) => welcome,
        Err((reason, answer)) => return (refused(reason), answer),
    };
    if let Some(answer) = instead(Service::AdminService, failures, false) {
        return (refused("injected fault"), answer);
    }
    let voice = voice(shared);
    let parsed = if call.method == "POST" {
        admin::wmi_route(&call.path)
            .ok_or_else(|| Misunderstood::no_route(&call.path))
            .and_then(|route| parse(route, body))
    } else {
        Err(Misunderstood::method(call.method.as_str()))
    };
    let (effect, answer) = match parsed {
        Ok(write) => perform(&mut core.world, write, &voice),
        Err(misunderstood) => (
            refused(&misunderstood.message),
            voice.refuse(&misunderstood),
        ),
    };
    let answer = instead(Service::AdminService, failures, true).unwrap_or(answer);
    (effect, welcome.with(answer))
}
