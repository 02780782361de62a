//! Fields of an object by the paths that the API server names them with.

use serde_json::{Map, Value};

/// Takes the field at `path`, such as `.spec.rollout.steps`, out of `body`, and whatever has nothing
/// else in it. Whether there was such a field: items of lists have no name.
pub fn take_out(body: &mut Value, path: &str) -> bool {
    let (Some(rest), Some(fields)) = (path.strip_prefix('.'), body.as_object_mut()) else {
        return false;
    };
    // A name may have dots in it, as those of annotations do: then it is the longer one.
    let is_next = |name: &&String| {
        let after = rest.strip_prefix(name.as_str());
        after.is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
    };
    let next = fields.keys().filter(is_next).max_by_key(|name| name.len());
    let Some(name) = next.cloned() else {
        return false;
    };
    let below = &rest[name.len()..];
    if below.is_empty() {
        return fields.remove(&name).is_some();
    }
    let Some(field) = fields.get_mut(&name) else {
        return false;
    };
    let is_out = take_out(field, below);
    if is_out && field.as_object().is_some_and(Map::is_empty) {
        fields.remove(&name);
    }
    is_out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_taken_out_by_its_path_and_nothing_else() {
        let body = || {
            json!({
                "metadata": { "annotations": { "a": "1", "a.b/c": "2" } },
                "spec": { "rollout": { "steps": [{ "devices": 1 }] }, "priority": 3 },
            })
        };
        let without = |path: &str| {
            let mut body = body();
            take_out(&mut body, path).then_some(body)
        };
        let mut expected = body();
        expected["spec"].as_object_mut().unwrap().remove("priority");
        assert_eq!(without(".spec.priority"), Some(expected));
        let mut expected = body();
        expected["metadata"]["annotations"] = json!({ "a": "1" });
        assert_eq!(without(".metadata.annotations.a.b/c"), Some(expected));
        // What has nothing in it would still be asked for.
        let mut expected = body();
        expected["spec"].as_object_mut().unwrap().remove("rollout");
        assert_eq!(without(".spec.rollout.steps"), Some(expected));
        for none in [
            ".spec.prio",
            ".spec.priority.x",
            ".spec.rollout.steps[0].devices",
            "spec.priority",
            ".",
            "",
        ] {
            assert_eq!(without(none), None, "{none}");
        }
    }
}
