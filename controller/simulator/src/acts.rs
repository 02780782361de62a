//! What people do to the estate while it runs, besides the programs under test.

use serde::{Deserialize, Serialize};

use crate::setup::{IntuneObject, Setup, Slider, Workload};

/// One act of a person. Devices are named by their number, collections by their id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    AddDirectRule {
        collection: String,
        resource_id: u32,
    },
    RemoveDirectRule {
        collection: String,
        resource_id: u32,
    },
    AddQueryRule {
        collection: String,
        name: String,
        expression: String,
    },
    /// Lets `collection` include `included`.
    IncludeCollection {
        collection: String,
        included: String,
    },
    /// Makes a device collection; its id is the next free one.
    CreateCollection {
        name: String,
        limit: String,
        comment: String,
    },
    DeleteCollection {
        collection: String,
    },
    /// Rewrites a collection's Comment; an empty one takes a mark away.
    SetComment {
        collection: String,
        comment: String,
    },
    SetMaintenanceWindows {
        collection: String,
        count: u32,
    },
    Deploy {
        collection: String,
        name: String,
    },
    /// Asks for an evaluation in the console.
    RefreshCollection {
        collection: String,
    },
    MoveSlider {
        workload: Workload,
        slider: Slider,
    },
    /// Makes, marks and stages what another setup of the same site has more, and moves the sliders to
    /// where it has them: as the site's people would for a repository that asks for more.
    Prepare {
        setup: Box<Setup>,
    },
    /// Makes something in Intune, or changes it.
    PutIntuneObject {
        object: IntuneObject,
    },
    /// Deletes something in Intune, if it is there.
    DeleteIntuneObject {
        collection: String,
        id: String,
    },
    /// Puts another collection onto a workload's Staging tab.
    StagePilot {
        workload: Workload,
        collection: String,
    },
    /// Installs a machine anew: another `ResourceID` and client, the same serial number.
    Reimage {
        device: u32,
    },
    Rename {
        device: u32,
        name: String,
    },
    /// Enrols it again: another Intune id.
    Reenroll {
        device: u32,
    },
    /// Takes it out of Intune.
    Retire {
        device: u32,
    },
    /// Turns it on or off and keeps it so.
    SetPresence {
        device: u32,
        online: bool,
    },
}

/// An act that nobody can do here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    #[error("there is no collection {0:?}")]
    NoSuchCollection(String),
    #[error("there is no device number {0}, or not in that service")]
    NoSuchDevice(u32),
    #[error("the site refuses: {0}")]
    Refused(String),
    #[error(transparent)]
    NotRecorded(#[from] crate::log::LogError),
}
