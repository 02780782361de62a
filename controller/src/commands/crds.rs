//! `diarchy crds`

use std::fs;
use std::io::Write as _;

use diarchy_core::code::Code;

use crate::arguments::Crds;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Prints the custom resource definitions, or writes them to a folder.
pub fn run(arguments: &Crds) -> Result<Outcome, Failure> {
    let files = diarchy_crds::generate::yaml()
        .map_err(|error| Failure::new(Code::Internal, error.to_string(), "please report it"))?;
    match &arguments.output {
        None => {
            let documents: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
            write!(std::io::stdout().lock(), "{}", documents.join("---\n"))?;
        }
        Some(folder) => {
            let failed = |error| Failure::not_writable(folder, &error);
            fs::create_dir_all(folder).map_err(failed)?;
            for (name, text) in &files {
                fs::write(folder.join(name), text).map_err(failed)?;
            }
            let written = show::plural(files.len(), "definition");
            show::note(&format!("wrote {written} to {}", folder.display()));
        }
    }
    Ok(Outcome::Same)
}
