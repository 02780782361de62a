//! The classes of hardware inventory, as tables.

use serde_json::json;

use crate::admin::classes::Record;
use crate::columns::{Column, always};
use crate::moment::{HOUR, text};
use crate::world::device::Kind;

pub(super) static ENCLOSURE: &[Column<Record>] = &[
    always("ResourceID", "Edm.Int64", |_, row| json!(row.id())),
    always("GroupID", "Edm.Int64", |_, _| json!(1)),
    always("ChassisTypes", "Edm.String", |c, row| {
        json!(row.device(c).model.chassis.smbios())
    }),
    always("SerialNumber", "Edm.String", |c, row| {
        json!(row.device(c).serial)
    }),
    always("SMBIOSAssetTag", "Edm.String", |_, _| json!("")),
    always("TimeStamp", "Edm.DateTimeOffset", |c, row| {
        json!(text(row.last_active(c) - 60 * HOUR))
    }),
];

pub(super) static COMPUTER: &[Column<Record>] = &[
    always("ResourceID", "Edm.Int64", |_, row| json!(row.id())),
    always("GroupID", "Edm.Int64", |_, _| json!(1)),
    always("Name", "Edm.String", |c, row| json!(row.device(c).name)),
    always("Domain", "Edm.String", |_, _| json!("contoso.com")),
    always("Manufacturer", "Edm.String", |c, row| {
        json!(row.device(c).model.manufacturer)
    }),
    always("Model", "Edm.String", |c, row| {
        json!(row.device(c).model.name)
    }),
    always("UserName", "Edm.String", |c, row| json!(row.user_name(c))),
    always("TimeStamp", "Edm.DateTimeOffset", |c, row| {
        json!(text(row.last_active(c) - 60 * HOUR))
    }),
];

pub(super) static OPERATING_SYSTEM: &[Column<Record>] = &[
    always("ResourceID", "Edm.Int64", |_, row| json!(row.id())),
    always("GroupID", "Edm.Int64", |_, _| json!(1)),
    always("Caption", "Edm.String", |c, row| {
        json!(row.device(c).caption())
    }),
    always("Version", "Edm.String", |c, row| {
        // Without the revision: hardware inventory does not know it.
        json!(format!("10.0.{}", row.device(c).build.number))
    }),
    always("BuildNumber", "Edm.String", |c, row| {
        json!(row.device(c).build.number.to_string())
    }),
    always("ProductType", "Edm.Int64", |c, row| {
        json!(if row.device(c).kind == Kind::Server {
            3
        } else {
            1
        })
    }),
    always("TimeStamp", "Edm.DateTimeOffset", |c, row| {
        json!(text(row.last_active(c) - 60 * HOUR))
    }),
];

pub(super) static BIOS: &[Column<Record>] = &[
    always("ResourceID", "Edm.Int64", |_, row| json!(row.id())),
    always("GroupID", "Edm.Int64", |_, _| json!(1)),
    always("SerialNumber", "Edm.String", |c, row| {
        json!(row.device(c).serial)
    }),
    always("Manufacturer", "Edm.String", |c, row| {
        json!(row.device(c).model.manufacturer)
    }),
    always("SMBIOSBIOSVersion", "Edm.String", |_, _| json!("1.14.1")),
    always("TimeStamp", "Edm.DateTimeOffset", |c, row| {
        json!(text(row.last_active(c) - 60 * HOUR))
    }),
];
