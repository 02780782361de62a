//! Membership rules: as they travel, and as they stand in a collection.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::site::resources::Query;

/// A rule as a request carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    Direct { resource: u32, name: String },
    Query { name: String, expression: String },
    Include { collection: String, name: String },
    Exclude { collection: String, name: String },
}

/// What tells one rule of a collection from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RuleKey {
    /// `ResourceID` of the member.
    Direct(u32),
    /// Name of the query.
    Query(String),
    /// Id of the collection that is included.
    Include(String),
    /// Id of the collection that is excluded.
    Exclude(String),
}

impl Rule {
    /// Reads what a request says.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let text = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| format!("the property '{key}' is missing or is not a string"))
        };
        let name = text("RuleName").unwrap_or_default();
        let kind = text("@odata.type")?;
        match kind.trim_start_matches("#AdminService.") {
            "SMS_CollectionRuleDirect" => {
                let class = text("ResourceClassName")?;
                if class != "SMS_R_System" {
                    return Err(format!(
                        "'{class}' is not the class of this collection's members"
                    ));
                }
                let resource = value
                    .get("ResourceID")
                    .and_then(Value::as_u64)
                    .and_then(|id| u32::try_from(id).ok())
                    .ok_or("the property 'ResourceID' is missing or is not a UInt32")?;
                Ok(Self::Direct { resource, name })
            }
            "SMS_CollectionRuleQuery" => Ok(Self::Query {
                name: text("RuleName")?,
                expression: text("QueryExpression")?,
            }),
            "SMS_CollectionRuleIncludeCollection" => Ok(Self::Include {
                collection: text("IncludeCollectionID")?,
                name,
            }),
            "SMS_CollectionRuleExcludeCollection" => Ok(Self::Exclude {
                collection: text("ExcludeCollectionID")?,
                name,
            }),
            other => Err(format!("'{other}' is not a collection rule")),
        }
    }

    /// What tells it from others.
    pub(crate) fn key(&self) -> RuleKey {
        match self {
            Self::Direct { resource, .. } => RuleKey::Direct(*resource),
            Self::Query { name, .. } => RuleKey::Query(name.clone()),
            Self::Include { collection, .. } => RuleKey::Include(collection.clone()),
            Self::Exclude { collection, .. } => RuleKey::Exclude(collection.clone()),
        }
    }
}

/// A query rule in its place.
#[derive(Debug, Clone)]
pub(crate) struct QueryRule {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) expression: String,
    pub(crate) query: Query,
}

/// A direct rule as the service shows it.
pub(crate) fn direct_json(resource: u32, name: &str) -> Value {
    json!({
        "@odata.type": "#AdminService.SMS_CollectionRuleDirect",
        "RuleName": name,
        "ResourceClassName": "SMS_R_System",
        "ResourceID": resource,
    })
}

/// A query rule as the service shows it.
pub(crate) fn query_json(rule: &QueryRule) -> Value {
    json!({
        "@odata.type": "#AdminService.SMS_CollectionRuleQuery",
        "RuleName": rule.name,
        "QueryExpression": rule.expression,
        "QueryID": rule.id,
    })
}

/// An include rule as the service shows it.
pub(crate) fn include_json(collection: &str, name: &str) -> Value {
    json!({
        "@odata.type": "#AdminService.SMS_CollectionRuleIncludeCollection",
        "RuleName": name,
        "IncludeCollectionID": collection,
    })
}

/// An exclude rule as the service shows it.
pub(crate) fn exclude_json(collection: &str, name: &str) -> Value {
    json!({
        "@odata.type": "#AdminService.SMS_CollectionRuleExcludeCollection",
        "RuleName": name,
        "ExcludeCollectionID": collection,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_shows() {
        for shown in [
            direct_json(16777219, "FR-LT000001"),
            include_json("PS100031", "rings"),
            exclude_json("PS100032", "not these"),
        ] {
            let rule = Rule::read(&shown).expect("a rule");
            let again = match &rule {
                Rule::Direct { resource, name } => direct_json(*resource, name),
                Rule::Include { collection, name } => include_json(collection, name),
                Rule::Exclude { collection, name } => exclude_json(collection, name),
                Rule::Query { .. } => Value::Null,
            };
            assert_eq!(again, shown);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let refused = |rule| Rule::read(&rule).expect_err("refused");
        assert!(refused(json!({})).contains("@odata.type"));
        assert!(refused(json!({"@odata.type": "#AdminService.SMS_Rule"})).contains("SMS_Rule"));
        assert!(
            refused(json!({
                "@odata.type": "#AdminService.SMS_CollectionRuleDirect",
                "ResourceClassName": "SMS_R_System",
                "ResourceID": "16777219",
            }))
            .contains("ResourceID")
        );
    }
}
