//! A history as people read it, and as two of them are compared.

use std::collections::BTreeMap;

use diarchy_simulator::{Cause, Entry, Truth};

use crate::history::{Deed, History, Pass};

/// Prints a history, and before each pass what is true of the device that `DIARCHY_DEVICE` names, or that
/// has this number at the site.
pub fn tell(history: &History) {
    let device = std::env::var("DIARCHY_DEVICE").ok();
    let mut passes = history.passes.iter();
    for line in lines(history) {
        if line.starts_with("pass ")
            && let Some(pass) = passes.next()
        {
            let is_meant = |truth: &&Truth| {
                let number = truth.resource_id.map(|number| number.to_string());
                device.is_some() && (device.as_ref() == Some(&truth.name) || device == number)
            };
            if let Some(truth) = pass.truths.iter().find(is_meant) {
                println!("        {truth:?}");
            }
        }
        println!("{line}");
    }
}

/// A history, line by line. Ids that nobody chose are numbered in the order in which they appear.
pub fn lines(history: &History) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut deeds, mut log, mut audit) = (0, 0, history.audit.iter().peekable());
    for (number, pass) in history.passes.iter().enumerate() {
        for done in &history.deeds[deeds..pass.deeds] {
            lines.push(format!("    {} {:?}", done.at, done.deed));
            if let Deed::Commit(revision) = done.deed {
                let yaml = history.revisions[revision].yaml();
                lines.extend(yaml.lines().map(|line| format!("        | {line}")));
            }
        }
        deeds = pass.deeds;
        lines.push(headline(number, pass));
        if let Some(report) = &pass.report {
            lines.push(format!("        {report:?}"));
        }
        lines.extend((log..pass.log.1).map(|at| entry(&history.log[at])));
        log = pass.log.1;
        while let Some(entry) = audit.next_if(|entry| entry.at <= pass.ended) {
            lines.push(format!("        audit: {entry:?}"));
        }
    }
    let mut names = Names::default();
    lines.iter().map(|line| names.replaced(line)).collect()
}

fn headline(number: usize, pass: &Pass) -> String {
    let clean = if pass.is_clean { "" } else { ", not clean" };
    format!(
        "pass {number}: {} to {}, revision {:?}, {}{clean}",
        pass.began, pass.ended, pass.revision, pass.ending
    )
}

fn entry(entry: &Entry) -> String {
    let Entry {
        sequence,
        at,
        cause,
        effect,
        status,
        answered,
    } = entry;
    let cause = match cause {
        Cause::Write { path, body, .. } => format!("{path} {body}"),
        Cause::Act(act) => format!("{act:?}"),
    };
    format!("        entry {sequence}: {at} {effect:?} {status:?} {answered} by {cause}")
}

/// Ids that are drawn by chance, by which they are told apart and nothing else.
#[derive(Default)]
struct Names(BTreeMap<String, usize>);

impl Names {
    /// A line with a number in place of each such id; Diarchy puts the first digits of one into names.
    fn replaced(&mut self, line: &str) -> String {
        let mut words = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
            let (before, from) = rest.split_at(at);
            let end = from
                .find(|c: char| !c.is_ascii_hexdigit() && c != '-')
                .unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            words.push_str(before);
            words.push_str(&self.name(word));
            rest = after;
        }
        words.push_str(rest);
        words
    }

    fn name(&mut self, word: &str) -> String {
        let bytes = word.as_bytes();
        let is_id = bytes.len() >= 36 && [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
        // `Diarchy 1a2b3c4d-1 …`
        let is_short = bytes.len() == 10 && bytes[8] == b'-';
        if !is_id && !is_short {
            return word.to_owned();
        }
        let next = self.0.len();
        let number = self.0.entry(word[..8].to_owned()).or_insert(next);
        format!("<id {number}>")
    }
}
