//! What is known of a fleet's devices: one record each, and the same as columns.

mod column;
mod columns;
mod device;
mod ndjson;

pub use column::{Cell, Flag, SetColumn, TextColumn, TimeColumn, WordColumn};
pub use columns::{DuplicateId, Inventory, NotOneDevice};
pub use device::{
    ClientHealth, Compliance, Device, Holder, IntuneRecord, InvalidHolder, JoinType, Mdm,
    ReportedError, SiteRecord,
};
pub use ndjson::{LineProblem, read, write};
