//! `diarchy validate`

use diarchy_core::finding::Severity;
use diarchy_git::{Cache, Diagnostic, Loaded};
use serde::Serialize;

use crate::arguments::{Findings, Validate};
use crate::failure::{Failure, Outcome};
use crate::show::{self, count, plural};
use crate::sources;

/// Checks a repository or a folder.
pub async fn run(arguments: &Validate) -> Result<Outcome, Failure> {
    let reference = arguments.reference.as_deref();
    let loaded = sources::load(
        &arguments.repository,
        reference,
        None,
        &mut Cache::default(),
    )
    .await?;
    match arguments.output {
        Findings::Text => print_text(&loaded)?,
        Findings::Json => show::json(&Answer::from(&loaded))?,
        Findings::Github => {
            for diagnostic in &loaded.diagnostics {
                show::line(&workflow_command(diagnostic))?;
            }
        }
    }
    Ok(if loaded.is_valid() {
        Outcome::Same
    } else {
        Outcome::Differs
    })
}

fn print_text(loaded: &Loaded) -> Result<(), Failure> {
    for diagnostic in &loaded.diagnostics {
        show::line(&show::printable(&diagnostic.to_string()))?;
    }
    show::line_on_stderr(&summary(loaded));
    Ok(())
}

fn summary(loaded: &Loaded) -> String {
    let (errors, warnings) = tally(&loaded.diagnostics);
    let read = format!(
        "{}, {} of other groups skipped",
        plural(loaded.resources_read, "resource"),
        count(loaded.skipped)
    );
    let revision = &loaded.revision.display;
    let verdict = match (errors, warnings) {
        (0, 0) => show::styled(show::GOOD, "valid"),
        (0, warnings) => {
            let valid = show::styled(show::GOOD, "valid");
            format!("{valid} with {}", plural(warnings, "warning"))
        }
        (errors, 0) => show::styled(crate::failure::ERROR, plural(errors, "error")),
        (errors, warnings) => {
            let errors = show::styled(crate::failure::ERROR, plural(errors, "error"));
            format!("{errors} and {}", plural(warnings, "warning"))
        }
    };
    format!("{revision}: {verdict} ({read})")
}

fn tally(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .count();
    (errors, diagnostics.len() - errors)
}

/// The answer as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    valid: bool,
    revision: &'a str,
    resources: usize,
    skipped: usize,
    findings: &'a [Diagnostic],
}

impl<'a> From<&'a Loaded> for Answer<'a> {
    fn from(loaded: &'a Loaded) -> Self {
        Self {
            valid: loaded.is_valid(),
            revision: &loaded.revision.display,
            resources: loaded.resources_read,
            skipped: loaded.skipped,
            findings: &loaded.diagnostics,
        }
    }
}

/// A finding as a workflow command, which the forge turns into an annotation of the line.
fn workflow_command(diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let property = |text: &str| escape_data(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{level} file={},line={},col={},title={}::{}",
        property(&diagnostic.file),
        diagnostic.line,
        diagnostic.column,
        diagnostic.code,
        escape_data(&format!("{}: {}", diagnostic.problem, diagnostic.remedy)),
    )
}

/// Workflow commands are one line each.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use diarchy_core::code::Code;

    #[test]
    fn a_workflow_command_keeps_its_separators_to_itself() {
        let diagnostic = Diagnostic {
            file: "a,b:c.yaml".into(),
            line: 3,
            column: 7,
            severity: Severity::Warning,
            code: Code::NoEffect,
            problem: "100% idle".into(),
            remedy: "delete\nit".into(),
        };
        assert_eq!(
            workflow_command(&diagnostic),
            "::warning file=a%2Cb%3Ac.yaml,line=3,col=7,title=DIA1402::100%25 idle: delete%0Ait"
        );
    }
}
