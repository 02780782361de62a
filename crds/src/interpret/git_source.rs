//! `GitSource` documents.

use std::time::Duration;

use diarchy_core::code::Code;
use diarchy_core::desired::{Named, Resources};
use diarchy_core::duration::Span;
use diarchy_core::finding::{FieldPath, Finding, Origin};
use diarchy_core::resource::Kind;
use url::Url;

use super::{Findings, forms, interpret};
use crate::GitSource;
use crate::git_source::{GitReference, GitSourceSpec};
use crate::manifest::{GitKind, Manifest};
use crate::text::{BranchOrTag, DurationText, RepositoryUrl};

/// How long between two looks at least.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// How long a fetch may take at most.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(10);

impl GitKind for GitSource {
    const KIND: Kind = Kind::GitSource;

    type Spec = GitSourceSpec;

    /// A source says where resources come from and asks nothing of a fleet: it is carried out in a
    /// cluster, and only known to exist elsewhere.
    fn interpret(
        origin: Origin,
        manifest: Manifest<GitSourceSpec>,
        into: &mut Resources,
    ) -> Vec<Finding> {
        let named = Named {
            header: manifest.header(origin),
            kind: Self::KIND,
            fleet: None,
        };
        interpret(
            origin,
            Self::KIND,
            &manifest,
            None,
            into,
            |findings| {
                judge(findings, &manifest.spec);
                Some(named)
            },
            |resources, named| resources.named.push(named),
        )
    }
}

fn judge(findings: &mut Findings, spec: &GitSourceSpec) {
    let path = FieldPath::of("spec");
    judge_url(findings, &path.key("url"), &spec.url);
    judge_reference(findings, &path.key("ref"), &spec.reference);
    judge_path(findings, &path.key("path"), &spec.path);
    judge_times(findings, &path, spec);
    let keys = spec.verify.as_ref().map(|verify| &verify.trusted_keys_ref);
    for (path, reference) in [
        (path.key("secretRef"), spec.secret_ref.as_ref()),
        (path.key("verify").key("trustedKeysRef"), keys),
    ] {
        if let Some(reference) = reference {
            forms::name(findings, &path.key("name"), reference.name.as_str());
        }
    }
    if !spec.service_account_name.is_empty() {
        let path = path.key("serviceAccountName");
        forms::name(findings, &path, &spec.service_account_name);
    }
}

fn judge_url(findings: &mut Findings, path: &FieldPath, text: &RepositoryUrl) {
    const LIKE: &str =
        "write it like https://git.contoso.com/fleet.git or git@git.contoso.com:fleet.git";
    if text.is_scp_like() {
        return;
    }
    let mut refuse = |problem: String| findings.add(Code::SourceUrl, path, problem, LIKE);
    // The parser would take one out, and the other for `/`.
    if text
        .as_str()
        .contains(|c: char| c == '\\' || c.is_ascii_whitespace())
    {
        return refuse(format!("`{text}` has a space or a backslash"));
    }
    let url = match Url::parse(text.as_str()) {
        Ok(url) => url,
        Err(error) => return refuse(format!("`{text}` is no URL: {error}")),
    };
    let names_one = !url.path().trim_matches('/').is_empty()
        && url.query().is_none()
        && url.fragment().is_none();
    if !names_one || (url.scheme() != "file" && !url.has_host()) {
        return refuse(format!("`{text}` names no repository"));
    }
    if url.password().is_some() || (url.scheme() != "ssh" && !url.username().is_empty()) {
        findings.add(
            Code::InvalidFormat,
            path,
            "the URL carries a user name or password",
            "take them out, and name a Secret with them in `secretRef`",
        );
        return;
    }
    match url.scheme() {
        "https" | "ssh" | "file" => {}
        "http" if super::is_loopback(&url) => {}
        "http" => findings.add(
            Code::InsecureEndpoint,
            path,
            format!("`{text}` is not https"),
            "write https://; only a loopback host may do with http",
        ),
        scheme => refuse(format!("`{scheme}` is not spoken, only https and ssh are")),
    }
}

fn judge_reference(findings: &mut Findings, path: &FieldPath, reference: &GitReference) {
    let GitReference {
        branch,
        tag,
        commit,
    } = reference;
    let given = [branch.is_some(), tag.is_some(), commit.is_some()];
    let given = given.into_iter().filter(|given| *given).count();
    if given != 1 {
        findings.add(
            Code::OneReference,
            path,
            if given == 0 {
                "there is nothing to follow"
            } else {
                "there is more than one thing to follow"
            },
            "write exactly one of `branch`, `tag` and `commit`",
        );
    }
    for (key, name) in [("branch", branch), ("tag", tag)] {
        if let Some(name) = name.as_ref().filter(|name| !name.is_one()) {
            findings.add(
                Code::InvalidFormat,
                &path.key(key),
                format!("`{name}` is no name that git has"),
                "write it without spaces, `..` and the characters ~ ^ : ? * [ \\, like main or release/2026",
            );
        }
    }
    if let Some(id) = commit
        && !(id.as_str().len() == 40 && id.as_str().bytes().all(|b| b.is_ascii_hexdigit()))
    {
        findings.add(
            Code::InvalidFormat,
            &path.key("commit"),
            format!("`{id}` is no commit's id"),
            "write all 40 hexadecimal digits, as `git rev-parse` prints them",
        );
    }
}

fn judge_path(findings: &mut Findings, path: &FieldPath, text: &str) {
    if text.split('/').any(|step| step == "..") {
        findings.add(
            Code::InvalidFormat,
            path,
            format!("`{text}` leads upwards"),
            "write the folder from the root of the repository, without `..`",
        );
    }
}

fn judge_times(findings: &mut Findings, path: &FieldPath, spec: &GitSourceSpec) {
    let interval = path.key("interval");
    if let Some(span) = forms::positive_duration(findings, &interval, &spec.interval)
        && span.length() < SHORTEST_INTERVAL
    {
        findings.add(
            Code::OutOfRange,
            &interval,
            format!("`{}` is shorter than 10 seconds", spec.interval),
            "write 10s or more: a server is not asked more often",
        );
    }
    let timeout = path.key("timeout");
    if let Some(span) = forms::positive_duration(findings, &timeout, &spec.timeout)
        && span.length() > LONGEST_TIMEOUT
    {
        findings.add(
            Code::OutOfRange,
            &timeout,
            format!("`{}` is longer than 10 minutes", spec.timeout),
            "write 10m or less: nothing else is read meanwhile",
        );
    }
}

impl RepositoryUrl {
    /// Whether it is written as `user@host:path`, which is no URL.
    fn is_scp_like(&self) -> bool {
        let text = self.as_str();
        let Some((authority, path)) = text.split_once(':').filter(|_| !text.contains("://")) else {
            return false;
        };
        let plain = |part: &str| !part.is_empty() && !part.contains(['/', ' ', '@']);
        authority
            .split_once('@')
            .is_some_and(|(user, host)| plain(user) && plain(host) && !path.is_empty())
    }
}

impl BranchOrTag {
    /// Whether git may have a branch or a tag of this name (git-check-ref-format).
    fn is_one(&self) -> bool {
        let text = self.as_str();
        let bad = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
        let parts_are_good = text.split('/').all(|part| {
            !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none()
        });
        parts_are_good
            && !text.contains(bad)
            && !text.contains("..")
            && !text.contains("@{")
            && !text.starts_with('-')
            && !text.ends_with('.')
            && text != "@"
    }
}

impl GitSourceSpec {
    /// How long between two looks. A text that [`GitKind::interpret`] refuses counts as the default.
    pub fn interval(&self) -> Duration {
        span(&self.interval, Span::minutes(1)).max(SHORTEST_INTERVAL)
    }

    /// How long one fetch may take. A text that [`GitKind::interpret`] refuses counts as the default.
    pub fn timeout(&self) -> Duration {
        span(&self.timeout, Span::minutes(1)).min(LONGEST_TIMEOUT)
    }
}

fn span(text: &DurationText, default: Span) -> Duration {
    text.as_str().parse().unwrap_or(default).length()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{SOURCE, read as read_yaml, read_with};
    use super::*;

    fn list(changes: &[(&str, Value)]) -> Vec<String> {
        read_with::<GitSource>(SOURCE, changes).list()
    }

    #[test]
    fn reads_every_field() {
        let outcome = read_yaml::<GitSource>(SOURCE);
        assert_eq!(outcome.list(), Vec::<String>::new());
        assert_eq!(outcome.resources.named[0].kind, Kind::GitSource);
        assert_eq!(outcome.resources.named[0].header.name, "nordwind");
        let manifest: Manifest<GitSourceSpec> = serde_saphyr::from_str(SOURCE).unwrap();
        assert_eq!(manifest.spec.interval(), Duration::from_secs(90));
        assert_eq!(manifest.spec.timeout(), Duration::from_secs(45));
        assert!(manifest.spec.prune);
    }

    #[test]
    fn only_what_can_be_fetched_is_a_url() {
        for good in [
            "https://git.nordwind.example/fleet.git",
            "http://127.0.0.1:8080/fleet.git",
            "ssh://git@git.nordwind.example:2222/fleet.git",
            "git@git.nordwind.example:endpoint/fleet.git",
            "file:///srv/git/fleet.git",
        ] {
            assert_eq!(
                list(&[("/spec/url", json!(good))]),
                Vec::<String>::new(),
                "{good}"
            );
        }
        for (bad, code) in [
            ("http://git.nordwind.example/fleet.git", "InsecureEndpoint"),
            ("git://git.nordwind.example/fleet.git", "SourceUrl"),
            ("https://git.nordwind.example", "SourceUrl"),
            ("https://git.nordwind.example/fleet?x", "SourceUrl"),
            ("/srv/git/fleet.git", "SourceUrl"),
            ("", "SourceUrl"),
            (
                "https://me:hunter2@git.nordwind.example/fleet.git",
                "InvalidFormat",
            ),
            (
                "ssh://git:hunter2@git.nordwind.example/fleet.git",
                "InvalidFormat",
            ),
        ] {
            let found = read_with::<GitSource>(SOURCE, &[("/spec/url", json!(bad))]);
            assert_eq!(found.list(), [format!("{code} spec.url")], "{bad}");
            assert!(!found.findings[0].problem.contains("hunter2"));
        }
    }

    #[test]
    fn exactly_one_revision_is_followed() {
        for (reference, expected) in [
            (json!({}), "OneReference spec.ref"),
            (
                json!({ "branch": "main", "tag": "v1" }),
                "OneReference spec.ref",
            ),
            (json!({ "branch": "a b" }), "InvalidFormat spec.ref.branch"),
            (json!({ "tag": "a..b" }), "InvalidFormat spec.ref.tag"),
            (json!({ "tag": "-x" }), "InvalidFormat spec.ref.tag"),
            (
                json!({ "commit": "4e7c9f8" }),
                "InvalidFormat spec.ref.commit",
            ),
        ] {
            assert_eq!(list(&[("/spec/ref", reference)]), [expected]);
        }
        for reference in [
            json!({ "tag": "release/2026-11" }),
            json!({ "commit": "4e7c9f861a9a77094d93887aa82b54fd5cfecbf0" }),
        ] {
            assert_eq!(list(&[("/spec/ref", reference)]), Vec::<String>::new());
        }
    }

    #[test]
    fn times_lie_within_reason() {
        for (pointer, value, code) in [
            ("/spec/interval", "9s", "OutOfRange"),
            ("/spec/interval", "0s", "OutOfRange"),
            ("/spec/interval", "often", "InvalidFormat"),
            ("/spec/timeout", "11m", "OutOfRange"),
            ("/spec/timeout", "1d", "OutOfRange"),
        ] {
            let path = pointer[1..].replace('/', ".");
            assert_eq!(list(&[(pointer, json!(value))]), [format!("{code} {path}")]);
        }
    }

    #[test]
    fn a_path_leads_downwards_and_names_are_names() {
        assert_eq!(
            list(&[("/spec/path", json!("a/../../b"))]),
            ["InvalidFormat spec.path"]
        );
        assert_eq!(
            list(&[
                ("/spec/secretRef/name", json!("No Name")),
                ("/spec/verify/trustedKeysRef/name", json!("")),
                ("/spec/serviceAccountName", json!("A")),
            ]),
            [
                "InvalidName spec.secretRef.name",
                "InvalidName spec.serviceAccountName",
                "InvalidName spec.verify.trustedKeysRef.name",
            ]
        );
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let spec: GitSourceSpec =
            serde_json::from_value(json!({ "url": "git@h:x", "ref": { "branch": "main" } }))
                .unwrap();
        assert_eq!(spec.interval(), Duration::from_mins(1));
        assert_eq!(spec.timeout(), Duration::from_mins(1));
        assert!(!spec.prune && !spec.suspend);
        assert_eq!(spec.verify, None);
    }
}
