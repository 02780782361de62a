//! Which object a name stands for.

use git2::Oid;

use super::packet::{Packet, Packets, Request};
use crate::remote::error::FetchError;
use crate::remote::request::Wanted;

/// A reference that a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub id: Oid,
    /// What a tag object stands for.
    pub peeled: Option<Oid>,
    /// The branch that `HEAD` stands for.
    pub points_to: Option<String>,
}

/// What is wanted, as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The reference's full name; none for a commit by its id.
    pub name: Option<String>,
    /// What it stands for: a commit, or a tag object that stands for one.
    pub id: Oid,
}

impl Target {
    /// A commit by its id.
    pub const fn commit(id: Oid) -> Self {
        Self { name: None, id }
    }

    /// The name of the tag, if it is one.
    pub fn tag(&self) -> Option<&str> {
        self.name.as_deref()?.strip_prefix("refs/tags/")
    }

    /// The name as people say it.
    pub fn short(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        let short = ["refs/heads/", "refs/tags/", "refs/"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        Some(short.unwrap_or(name))
    }
}

/// Asks for what has one of these names (version 2).
pub fn request(names: &[String]) -> Vec<u8> {
    let mut request = Request::default();
    request.line("command=ls-refs");
    request.line(&format!("agent={}", crate::remote::AGENT));
    request.line("object-format=sha1");
    request.delimiter();
    request.line("peel");
    request.line("symrefs");
    for name in names {
        request.line(&format!("ref-prefix {name}"));
    }
    request.flush();
    request.into_bytes()
}

/// Reads the answer (version 2).
pub async fn read(packets: &mut Packets<'_>) -> Result<Vec<Listed>, FetchError> {
    let mut listed = Vec::new();
    loop {
        let line = match packets.next().await? {
            Packet::Data(data) => String::from_utf8_lossy(data).trim_end().to_owned(),
            Packet::Flush => return Ok(listed),
            Packet::Delimiter | Packet::ResponseEnd => {
                return Err(packets.garbage("a list of references that does not end"));
            }
        };
        let reference = parse(&line)
            .map_err(|Garbled| packets.garbage(&format!("a list with `{}`", super::gist(&line))))?;
        listed.extend(reference);
    }
}

/// What is no line of a list.
#[derive(Debug, PartialEq, Eq)]
struct Garbled;

/// `<id> <name> [symref-target:<name>] [peeled:<id>]`; a branch without a commit has no id.
fn parse(line: &str) -> Result<Option<Listed>, Garbled> {
    let mut words = line.split(' ');
    let (Some(id), Some(name)) = (words.next(), words.next()) else {
        return Err(Garbled);
    };
    if id == "unborn" {
        return Ok(None);
    }
    let oid = |id: &str| id.parse().map_err(|_| Garbled);
    let mut listed = Listed {
        name: name.to_owned(),
        id: oid(id)?,
        peeled: None,
        points_to: None,
    };
    for word in words {
        if let Some(id) = word.strip_prefix("peeled:") {
            listed.peeled = Some(oid(id)?);
        } else if let Some(name) = word.strip_prefix("symref-target:") {
            listed.points_to = Some(name.to_owned());
        }
    }
    Ok(Some(listed))
}

/// The first of `names` that the server has. `HEAD` is called by the branch that it stands for.
pub fn choose(names: &[String], listed: &[Listed]) -> Option<Target> {
    let found = names
        .iter()
        .find_map(|name| listed.iter().find(|listed| listed.name == *name))?;
    Some(Target {
        name: Some(found.points_to.as_ref().unwrap_or(&found.name).clone()),
        id: found.id,
    })
}

/// Why there is no such revision, as far as it is known.
pub fn why_not(wanted: &Wanted, listed: &[Listed]) -> String {
    match wanted {
        Wanted::Head => ", for nothing has been committed there".to_owned(),
        Wanted::Commit(id) if id.len() < 40 => {
            ": a commit of another machine's repository is named by its whole id".to_owned()
        }
        Wanted::Branch(name) => {
            let tag = format!("refs/tags/{name}");
            let is_tag = listed.iter().any(|listed| listed.name == tag);
            if is_tag {
                ", which is a tag and no branch".to_owned()
            } else {
                String::new()
            }
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn listed(line: &str) -> Listed {
        parse(line).unwrap().unwrap()
    }

    #[test]
    fn a_line_says_what_a_name_stands_for() {
        let head = listed(&format!("{A} HEAD symref-target:refs/heads/main"));
        assert_eq!(head.points_to.as_deref(), Some("refs/heads/main"));
        let tag = listed(&format!("{A} refs/tags/v1 peeled:{B}"));
        assert_eq!(tag.peeled, Some(B.parse().unwrap()));
        assert_eq!(parse("unborn HEAD symref-target:refs/heads/main"), Ok(None));
        assert_eq!(parse("nonsense"), Err(Garbled));
        assert_eq!(parse("xyz refs/heads/main"), Err(Garbled));
    }

    #[test]
    fn a_name_is_a_branch_before_it_is_a_tag() {
        let listed = [
            listed(&format!("{A} refs/tags/v1")),
            listed(&format!("{B} refs/heads/v1")),
            listed(&format!("{A} refs/heads/v1-old")),
        ];
        let names = Wanted::Any("v1".to_owned()).references();
        let target = choose(&names, &listed).unwrap();
        assert_eq!(target.short(), Some("v1"));
        assert_eq!(target.id, B.parse().unwrap());
        assert_eq!(target.tag(), None);
        let names = Wanted::Tag("v1".to_owned()).references();
        assert_eq!(choose(&names, &listed).unwrap().tag(), Some("v1"));
        // What only begins so is another.
        assert_eq!(
            choose(&Wanted::Any("v".to_owned()).references(), &listed),
            None
        );
    }

    #[test]
    fn head_is_called_by_its_branch() {
        let head = [listed(&format!("{A} HEAD symref-target:refs/heads/trunk"))];
        let target = choose(&Wanted::Head.references(), &head).unwrap();
        assert_eq!(target.short(), Some("trunk"));
    }
}
