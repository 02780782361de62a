//! What a site's metadata declares.
//!
//! Documents of the classes are older than the classes: whether a site's records carry the Entra
//! device id is found out here, and done without when the metadata cannot be read.

use std::collections::{BTreeMap, BTreeSet};

/// The properties of each class that the metadata declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    classes: BTreeMap<String, BTreeSet<String>>,
}

impl Schema {
    /// Reads an OData `$metadata` document; `None` when it declares nothing.
    ///
    /// Only the names of entity types and of their properties are looked for, in order of
    /// appearance, so that whatever else the document holds does not matter.
    #[must_use]
    pub fn read(xml: &str) -> Option<Self> {
        let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut class: Option<String> = None;
        for tag in xml.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap_or_default();
            if let Some(attributes) = tag.strip_prefix("EntityType ") {
                class = name(attributes);
                if let Some(class) = &class {
                    classes.entry(class.clone()).or_default();
                }
            } else if tag.starts_with("/EntityType") {
                class = None;
            } else if let Some(attributes) = tag.strip_prefix("Property ")
                && let (Some(class), Some(property)) = (&class, name(attributes))
                && let Some(properties) = classes.get_mut(class)
            {
                properties.insert(property);
            }
        }
        (!classes.is_empty()).then_some(Self { classes })
    }

    /// Whether `class` has `property`; `None` when the class is not declared.
    #[must_use]
    pub fn has(&self, class: &str, property: &str) -> Option<bool> {
        let properties = self.classes.get(class)?;
        Some(
            properties
                .iter()
                .any(|found| found.eq_ignore_ascii_case(property)),
        )
    }
}

/// The value of the attribute `Name`.
fn name(attributes: &str) -> Option<String> {
    let mut rest = attributes;
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, tail) = after[1..].split_once(quote)?;
        if key.trim() == "Name" {
            return Some(value.to_owned());
        }
        rest = tail;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_classes_and_properties() {
        let schema = Schema::read(
            r#"<?xml version="1.0"?><edmx:Edmx><Schema Namespace="AdminService">
            <EntityType Name="SMS_R_System"><Key><PropertyRef Name="ResourceID"/></Key>
              <Property Type="Edm.String" Name='AADDeviceID'/><Property Name="Name" Type="Edm.String"/>
            </EntityType><ComplexType Name="X"><Property Name="Y"/></ComplexType>
            <EntityType Name="SMS_Site" /></Schema></edmx:Edmx>"#,
        )
        .unwrap();
        assert_eq!(schema.has("SMS_R_System", "AADDeviceID"), Some(true));
        assert_eq!(schema.has("SMS_R_System", "Y"), Some(false));
        assert_eq!(schema.has("SMS_Site", "SiteCode"), Some(false));
        assert_eq!(schema.has("SMS_Nothing", "Name"), None);
    }

    #[test]
    fn reads_nothing_out_of_anything_else() {
        for text in ["", "<html>", "{}", "<EntityType Name=", "<<<>>>"] {
            assert_eq!(Schema::read(text), None, "{text}");
        }
    }
}
