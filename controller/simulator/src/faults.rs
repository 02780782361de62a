//! Services that fail: what a test or a person injects, and how a response suffers from it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::http::Answer;

/// One of the two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Microsoft Graph and the token endpoint.
    Graph,
    AdminService,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// A status instead of an answer. A write has not taken effect, unless `after_effect`.
    Status {
        status: u16,
        retry_after: Option<String>,
        after_effect: bool,
    },
    /// The connection ends in the middle of the body. A write has taken effect.
    CutOff,
    /// Nothing for this long, in real time.
    Delay(Duration),
    /// Lists are empty.
    EmptyList,
    /// Lists keep this share of their entries, from 0 to 1, evenly thinned.
    Truncated { keep: f64 },
    /// This field (dots lead into objects) is missing from every item.
    DroppedField(String),
    /// This field is null in every item.
    NullField(String),
    /// This field has a value that nobody announced.
    UnknownMember { field: String, member: String },
    /// Items have fields that nobody announced.
    ExtraFields,
    /// The body ends before its JSON does, with a correct length.
    MalformedJson,
    /// Every page points to itself as the next.
    NextLinkLoop,
    /// A gateway's page of HTML.
    HtmlPage { status: u16 },
    /// Connections are closed before a byte was said, TLS or not.
    Refused,
}

/// Where something goes wrong, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub service: Service,
    /// Only requests by this method; none: all.
    pub method: Option<String>,
    /// Only requests whose decoded path contains this; empty: all.
    pub path: String,
    pub failure: Failure,
    /// So many requests that it concerns are let through before.
    pub after: u32,
    /// How many requests suffer; none: until cleared.
    pub times: Option<u32>,
}

impl Fault {
    /// A fault of every request whose path contains `path`, until cleared.
    #[must_use]
    pub fn new(service: Service, path: &str, failure: Failure) -> Self {
        Self {
            service,
            method: None,
            path: path.to_owned(),
            failure,
            after: 0,
            times: None,
        }
    }

    /// Lets so many requests through before.
    #[must_use]
    pub fn after(mut self, after: u32) -> Self {
        self.after = after;
        self
    }

    /// Ends it after so many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Narrows it to one method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }
}

/// A fault in force, to clear it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(u64);

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<(FaultId, Fault)>,
    count: u64,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        self.count += 1;
        let id = FaultId(self.count);
        self.active.push((id, fault));
        id
    }

    pub(crate) fn clear(&mut self, id: FaultId) {
        self.active.retain(|(other, _)| *other != id);
    }

    pub(crate) fn clear_all(&mut self) {
        self.active.clear();
    }

    /// Whether new connections to `service` are closed at once.
    pub(crate) fn refuses(&self, service: Service) -> bool {
        self.active.iter().any(|(_, fault)| {
            fault.service == service && fault.failure == Failure::Refused && fault.path.is_empty()
        })
    }

    /// What this request suffers; counts it.
    pub(crate) fn strike(&mut self, service: Service, method: &str, path: &str) -> Vec<Failure> {
        let mut struck = Vec::new();
        for (_, fault) in &mut self.active {
            let concerned = fault.service == service
                && fault.method.as_ref().is_none_or(|only| only == method)
                && path.contains(&fault.path)
                && fault.times != Some(0);
            if concerned && fault.after > 0 {
                fault.after -= 1;
            } else if concerned {
                fault.times = fault.times.map(|times| times - 1);
                struck.push(fault.failure.clone());
            }
        }
        struck
    }
}

/// What `failures` make of a list: which items it has and how they look.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    failures: &'a [Failure],
    seen: usize,
    written: usize,
    json: Vec<u8>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(failures: &'a [Failure]) -> Self {
        Self {
            failures,
            seen: 0,
            written: 0,
            json: vec![b'['],
        }
    }

    /// Adds an item, as far as the faults let it through.
    pub(crate) fn push(&mut self, mut item: Map<String, Value>) {
        let place = self.seen;
        self.seen += 1;
        for failure in self.failures {
            match failure {
                Failure::EmptyList => return,
                Failure::Truncated { keep } if !kept(place, *keep) => return,
                _ => suffer(&mut item, failure),
            }
        }
        if self.written > 0 {
            self.json.push(b',');
        }
        self.written += 1;
        // A map of JSON values always serialises.
        let _ = serde_json::to_writer(&mut self.json, &item);
    }

    /// The response around the items.
    pub(crate) fn finish(mut self, before: &Map<String, Value>, next: Option<&str>) -> Vec<u8> {
        self.json.push(b']');
        let mut body = serde_json::to_vec(before).unwrap_or_default();
        body.pop();
        if !before.is_empty() {
            body.push(b',');
        }
        body.extend_from_slice(b"\"value\":");
        body.append(&mut self.json);
        if let Some(next) = next {
            body.extend_from_slice(b",\"@odata.nextLink\":");
            body.extend_from_slice(Value::from(next).to_string().as_bytes());
        }
        body.push(b'}');
        body
    }
}

/// Whether the item at `place` is among the share that is kept, spread evenly.
#[expect(
    clippy::cast_precision_loss,
    reason = "lists are far shorter than 2^52 items"
)]
fn kept(place: usize, keep: f64) -> bool {
    let keep = keep.clamp(0.0, 1.0);
    ((place + 1) as f64 * keep).floor() > (place as f64 * keep).floor()
}

/// Does to one item what a failure does to items.
pub(crate) fn suffer(item: &mut Map<String, Value>, failure: &Failure) {
    match failure {
        Failure::DroppedField(field) => change(item, field, None),
        Failure::NullField(field) => change(item, field, Some(Value::Null)),
        Failure::UnknownMember { field, member } => {
            change(item, field, Some(Value::from(member.as_str())));
        }
        Failure::ExtraFields => {
            item.insert("unheardOf".to_owned(), json!({"deep": [1, null, "x"]}));
            item.insert("@unheard.of".to_owned(), json!(["annotation"]));
        }
        _ => {}
    }
}

/// Sets or removes a field that is there; dots lead into objects.
fn change(item: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    match field.split_once('.') {
        Some((first, rest)) => {
            if let Some(Value::Object(inner)) = item.get_mut(first) {
                change(inner, rest, value);
            }
        }
        None => match (item.contains_key(field), value) {
            (true, Some(value)) => drop(item.insert(field.to_owned(), value)),
            (true, None) => drop(item.remove(field)),
            (false, _) => {}
        },
    }
}

/// The answer that a failure gives in place of the service's own; none if it lets it speak.
pub(crate) fn instead(service: Service, failures: &[Failure], after: bool) -> Option<Answer> {
    failures.iter().find_map(|failure| match failure {
        Failure::Status {
            status,
            retry_after,
            after_effect,
        } if *after_effect == after => {
            let mut answer = match service {
                Service::Graph => {
                    let code = match status {
                        429 => "TooManyRequests",
                        503 => "ServiceUnavailable",
                        _ => "InternalServerError",
                    };
                    let body = json!({"error": {"code": code, "message": "Injected."}});
                    Answer::json(*status, &body)
                }
                Service::AdminService => Answer::admin_error(*status, "Injected."),
            };
            if let Some(retry_after) = retry_after {
                answer = answer.with("retry-after", retry_after.clone());
            }
            Some(answer)
        }
        Failure::HtmlPage { status } if !after => {
            let page = b"<!DOCTYPE html><html><head><title>Bad Gateway</title></head>\
                         <body><h1>Our services aren't available right now</h1></body></html>";
            Some(Answer::bytes(*status, "text/html", page.to_vec()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Map<String, Value> {
        let value = json!({"id": "1", "features": {"officeApps": true, "inventory": false}});
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn fields_are_dropped_nulled_and_replaced_at_any_depth() {
        let mut dropped = item();
        suffer(
            &mut dropped,
            &Failure::DroppedField("features.officeApps".to_owned()),
        );
        assert_eq!(dropped["features"], json!({"inventory": false}));
        let mut null = item();
        suffer(&mut null, &Failure::NullField("features".to_owned()));
        assert_eq!(null["features"], Value::Null);
        let mut absent = item();
        suffer(&mut absent, &Failure::NullField("nowhere".to_owned()));
        assert_eq!(absent, item());
    }

    #[test]
    fn a_truncated_list_keeps_its_share() {
        let failures = [Failure::Truncated { keep: 0.25 }];
        let mut rows = Rows::new(&failures);
        for _ in 0..100 {
            rows.push(item());
        }
        let body: Value = serde_json::from_slice(&rows.finish(&Map::new(), None)).expect("JSON");
        assert_eq!(body["value"].as_array().map(Vec::len), Some(25));
    }

    #[test]
    fn a_fault_ends_after_its_times_and_spares_others() {
        let mut faults = Faults::default();
        let fault = Fault::new(Service::Graph, "/devices", Failure::CutOff).times(1);
        let id = faults.inject(fault.method("GET").after(1));
        assert!(faults.strike(Service::Graph, "GET", "/devices").is_empty());
        assert!(
            faults
                .strike(Service::AdminService, "GET", "/devices")
                .is_empty()
        );
        assert!(faults.strike(Service::Graph, "POST", "/devices").is_empty());
        assert!(faults.strike(Service::Graph, "GET", "/users").is_empty());
        assert_eq!(
            faults.strike(Service::Graph, "GET", "/v1.0/devices").len(),
            1
        );
        assert!(
            faults
                .strike(Service::Graph, "GET", "/v1.0/devices")
                .is_empty()
        );
        faults.clear(id);
        assert!(faults.active.is_empty());
    }
}
