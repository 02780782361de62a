use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{brief, tree};
use crate::yaml::decode;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sample {
    name: String,
    #[serde(default)]
    count: i32,
    #[serde(default)]
    small: Option<u8>,
    #[serde(default)]
    share: f64,
    #[serde(default)]
    suspend: bool,
    #[serde(default)]
    colour: Option<Colour>,
    #[serde(default)]
    list: Vec<Inner>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    span: Option<Even>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Inner {
    key: String,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Colour {
    Red,
    Green,
    None,
}

/// Reads itself out of text, and says what is wrong and how to mend it.
#[derive(Debug, PartialEq)]
struct Even(u32);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.trim_end_matches('s')
            .parse::<u32>()
            .ok()
            .filter(|number| number.is_multiple_of(2))
            .map(Even)
            .ok_or_else(|| serde::de::Error::custom("this is not even; add one"))
    }
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    let tree = tree(text);
    decode(&tree, tree.root()).unwrap_or_else(|problem| panic!("{text}\n{problem:?}"))
}

fn fault(text: &str) -> String {
    let tree = tree(text);
    brief(&decode::<Sample>(&tree, tree.root()).unwrap_err())
}

#[test]
fn a_document_is_read_as_it_is_meant() {
    let sample: Sample = read(
        "name: 'x'\ncount: -7\nsmall: 0x1F\nshare: 1.5\nsuspend: true\ncolour: None\n\
         list:\n  - key: a\n    values: [b, '1e3', !!str 7, 14d]\nlabels: {app: on-call}\nspan: 4s\n",
    );
    assert_eq!(sample.count, -7);
    assert_eq!(sample.small, Some(31));
    assert_eq!(sample.colour, Some(Colour::None));
    assert_eq!(sample.list[0].values, ["b", "1e3", "7", "14d"]);
    assert_eq!(sample.labels["app"], "on-call");
    assert_eq!(sample.span, Some(Even(4)));
}

#[test]
fn what_may_be_absent_may_be_null() {
    let sample: Sample = read("name: x\nsmall:\ncolour: ~\nspan: null\n");
    assert_eq!(
        (sample.small, sample.colour, sample.span),
        (None, None, None)
    );
}

#[test]
fn unknown_fields_are_pointed_at_by_their_key() {
    assert_eq!(fault("name: x\nnmae: y\n"), "2:1 DIA1106");
    assert_eq!(
        fault("name: x\nlist: [{key: a, 'keys': b}]\n"),
        "2:17 DIA1106"
    );
    assert_eq!(fault("name: x\n<<: 7\n"), "2:1 DIA1106");
}

#[test]
fn missing_fields_are_pointed_at_by_their_parent() {
    assert_eq!(fault("count: 1\n"), "1:1 DIA1107");
    assert_eq!(
        fault("name: x\nlist:\n  - key: a\n  - values: [b]\n"),
        "4:5 DIA1107"
    );
    assert_eq!(fault("name: x\nlist: [ {} ]\n"), "2:9 DIA1107");
}

#[test]
fn wrong_types_are_pointed_at_by_their_value() {
    for (text, expected) in [
        ("name: [x]\n", "1:7 DIA1108"),
        ("name:\n", "1:1 DIA1108"),
        ("name: x\ncount: '7'\n", "2:8 DIA1108"),
        ("name: x\ncount: 7.5\n", "2:8 DIA1108"),
        ("name: x\ncount: seven\n", "2:8 DIA1108"),
        ("name: x\ncount: 1_000\n", "2:8 DIA1108"),
        ("name: x\ncount: 017\n", "2:8 DIA1108"),
        ("name: x\nsuspend: 'true'\n", "2:10 DIA1108"),
        ("name: x\nsuspend: yes\n", "2:10 DIA1108"),
        ("name: x\nshare: much\n", "2:8 DIA1108"),
        ("name: x\nlist: {key: a}\n", "2:7 DIA1108"),
        ("name: x\nlist:\n", "2:1 DIA1108"),
        ("name: x\nlist: [[a, [b]]]\n", "2:8 DIA1108"),
        ("name: x\nlabels: [a]\n", "2:9 DIA1108"),
        ("name: x\ncolour: [Red]\n", "2:9 DIA1108"),
        ("name: !secret x\n", "1:15 DIA1108"),
        ("name: x\nlabels: {[a]: b}\n", "2:10 DIA1108"),
        ("[a, b]\n", "1:1 DIA1108"),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
}

#[test]
fn text_that_looks_like_something_else_needs_quotes() {
    for plain in [
        "NO",
        "on",
        "y",
        "1e3",
        "1.10",
        "0x1F",
        "2026-11-22",
        "~",
        "16:00",
        "12",
        "null",
    ] {
        assert_eq!(fault(&format!("name: {plain}\n")), "1:7 DIA1109", "{plain}");
        let sample: Sample = read(&format!("name: \"{plain}\"\n"));
        assert_eq!(sample.name, plain);
    }
    assert_eq!(
        fault("name: x\nlist: [{key: a, values: [FR, NO]}]\n"),
        "2:30 DIA1109"
    );
    assert_eq!(fault("name: x\nlabels: {a: true}\n"), "2:13 DIA1109");
    assert_eq!(fault("name: x\nlabels: {on: b}\n"), "2:10 DIA1109");
    let sample: Sample = read("name: 2026-12-15T00:00:00Z\n");
    assert_eq!(sample.name, "2026-12-15T00:00:00Z");
}

#[test]
fn words_that_are_none_of_those_allowed_are_named() {
    assert_eq!(fault("name: x\ncolour: Blue\n"), "2:9 DIA1111");
    assert_eq!(fault("name: x\ncolour: red\n"), "2:9 DIA1111");
    assert_eq!(fault("name: x\ncolour: on\n"), "2:9 DIA1111");
}

#[test]
fn numbers_too_large_for_their_place_are_out_of_range() {
    assert_eq!(fault("name: x\ncount: 99999999999\n"), "2:8 DIA1113");
    assert_eq!(fault("name: x\nsmall: -1\n"), "2:8 DIA1113");
    assert_eq!(
        fault("name: x\nsmall: 99999999999999999999999\n"),
        "2:8 DIA1113"
    );
}

#[test]
fn types_that_read_themselves_say_what_is_wrong() {
    let tree = tree("name: x\nspan: 3s\n");
    let problem = decode::<Sample>(&tree, tree.root()).unwrap_err();
    assert_eq!(brief(&problem), "2:7 DIA1112");
    assert_eq!(
        (&*problem.problem, &*problem.remedy),
        ("this is not even", "add one")
    );
}

#[test]
fn a_mistake_in_an_aliased_value_lies_at_the_anchor() {
    let text = "name: x\nlist:\n  - &base {key: a, values: [NO]}\n  - *base\n";
    assert_eq!(fault(text), "3:29 DIA1109");
    // What the alias as a whole is wrong for, at the alias.
    assert_eq!(fault("name: &n x\ncount: *n\n"), "2:8 DIA1108");
}

#[test]
fn an_expected_word_is_part_of_the_remedy() {
    let tree = tree("name: x\ncolour: Blue\n");
    let problem = decode::<Sample>(&tree, tree.root()).unwrap_err();
    assert_eq!(problem.remedy, "use Red, Green or None");
}
