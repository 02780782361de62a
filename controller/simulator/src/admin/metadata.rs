//! `$metadata`: the entity types and their properties, from the tables that serve them.

use std::fmt::Write as _;

use crate::admin::{classes, collections, hardware};
use crate::columns::{Column, Context};

/// The document.
pub(super) fn document(context: &Context<'_>) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\
         <edmx:DataServices><Schema Namespace=\"AdminService\" \
         xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">",
    );
    entity_type(&mut xml, context, "SMS_Site", "SiteCode", classes::SITE);
    entity_type(
        &mut xml,
        context,
        "SMS_R_System",
        "ResourceID",
        classes::R_SYSTEM,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_CombinedDeviceResources",
        "ResourceID",
        classes::COMBINED,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_Client_ComanagementState",
        "MachineId",
        classes::STATE,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_G_System_SYSTEM_ENCLOSURE",
        "ResourceID",
        hardware::ENCLOSURE,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_G_System_COMPUTER_SYSTEM",
        "ResourceID",
        hardware::COMPUTER,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_G_System_OPERATING_SYSTEM",
        "ResourceID",
        hardware::OPERATING_SYSTEM,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_G_System_PC_BIOS",
        "ResourceID",
        hardware::BIOS,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_Collection",
        "CollectionID",
        collections::COLLECTION,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_FullCollectionMembership",
        "ResourceID",
        collections::MEMBER,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_DeploymentSummary",
        "AssignmentID",
        collections::DEPLOYMENT,
    );
    entity_type(
        &mut xml,
        context,
        "SMS_ClientOperationStatus",
        "ID",
        classes::OPERATIONS,
    );
    xml.push_str("</Schema></edmx:DataServices></edmx:Edmx>");
    xml
}

fn entity_type<R>(
    xml: &mut String,
    context: &Context<'_>,
    name: &str,
    key: &str,
    columns: &[Column<R>],
) {
    // Writing to a String cannot fail.
    let _ = write!(
        xml,
        "<EntityType Name=\"{name}\"><Key><PropertyRef Name=\"{key}\"/></Key>"
    );
    for column in columns.iter().filter(|column| column.exists(context)) {
        let _ = write!(
            xml,
            "<Property Name=\"{}\" Type=\"{}\"/>",
            column.name, column.edm
        );
    }
    xml.push_str("</EntityType>");
}
