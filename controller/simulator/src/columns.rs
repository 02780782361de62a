//! Entity types as tables: a name, a type, when it is shown, and where its value comes from.
//!
//! Both services are served from such tables, so that `$select`, `$filter`, `$metadata` and the
//! rows themselves cannot disagree.

use serde_json::{Map, Value};

use crate::setup::Behaviour;
use crate::world::World;

/// When a column is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Always,
    /// Graph: only in beta.
    Beta,
    /// Graph: null in lists.
    ById,
    /// Graph: only in beta, and null in lists.
    BetaById,
    /// Site: not in lists.
    Lazy,
    /// Site: only where records know their Entra device.
    EntraId,
    /// Site: only where undocumented columns are exposed.
    Undocumented,
}

/// What a value may depend on, besides the row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) world: &'a World,
    pub(crate) behaviour: &'a Behaviour,
    pub(crate) beta: bool,
    /// Whether one entity was asked for by its key.
    pub(crate) by_key: bool,
}

/// A property of the entities that rows of type `R` stand for.
pub(crate) struct Column<R> {
    pub(crate) name: &'static str,
    pub(crate) edm: &'static str,
    pub(crate) shown: Shown,
    pub(crate) value: fn(&Context<'_>, &R) -> Value,
}

/// A column that is always there.
pub(crate) const fn always<R>(
    name: &'static str,
    edm: &'static str,
    value: fn(&Context<'_>, &R) -> Value,
) -> Column<R> {
    shown(name, edm, Shown::Always, value)
}

/// A column that is there when `shown` says so.
pub(crate) const fn shown<R>(
    name: &'static str,
    edm: &'static str,
    shown: Shown,
    value: fn(&Context<'_>, &R) -> Value,
) -> Column<R> {
    Column {
        name,
        edm,
        shown,
        value,
    }
}

impl<R> Column<R> {
    /// Whether the type has this column at all.
    pub(crate) fn exists(&self, context: &Context<'_>) -> bool {
        match self.shown {
            Shown::Always | Shown::ById | Shown::Lazy => true,
            Shown::Beta | Shown::BetaById => context.beta,
            Shown::EntraId => context.behaviour.aad_device_id,
            Shown::Undocumented => context.behaviour.comanagement_details,
        }
    }

    /// The value as this request gets to see it.
    pub(crate) fn read(&self, context: &Context<'_>, row: &R) -> Value {
        match self.shown {
            Shown::ById | Shown::BetaById | Shown::Lazy if !context.by_key => Value::Null,
            _ => (self.value)(context, row),
        }
    }
}

/// The columns that a request gets: those named, or all.
///
/// # Errors
///
/// The first name that is no column.
pub(crate) fn choose<'t, R>(
    table: &'t [Column<R>],
    context: &Context<'_>,
    selected: Option<&[&str]>,
) -> Result<Vec<&'t Column<R>>, String> {
    let existing = || table.iter().filter(|column| column.exists(context));
    let Some(names) = selected else {
        return Ok(existing().collect());
    };
    names
        .iter()
        .map(|name| {
            existing()
                .find(|column| column.name == *name)
                .ok_or_else(|| (*name).to_owned())
        })
        .collect()
}

/// One entity.
pub(crate) fn entity<R>(
    columns: &[&Column<R>],
    context: &Context<'_>,
    row: &R,
) -> Map<String, Value> {
    columns
        .iter()
        .map(|column| (column.name.to_owned(), column.read(context, row)))
        .collect()
}
