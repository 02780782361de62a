use super::{at, brief, path, problems, tree};
use crate::yaml::{MAX_DEPTH, MAX_DOCUMENTS, MAX_VALUES, read};

#[test]
fn block_values_lie_where_they_begin() {
    let text = "kind: Fleet\nspec:\n  list:\n    - one\n    -   two\n  last: 3\n";
    assert_eq!(at(text, ""), "1:1");
    assert_eq!(at(text, "kind"), "1:7");
    assert_eq!(at(text, "spec"), "3:3");
    assert_eq!(at(text, "spec.list"), "4:5");
    assert_eq!(at(text, "spec.list.0"), "4:7");
    assert_eq!(at(text, "spec.list.1"), "5:9");
    assert_eq!(at(text, "spec.last"), "6:9");
}

#[test]
fn lists_may_stand_as_far_left_as_their_key() {
    let text = "list:\n- one\n- key: two\n  other: three\n";
    assert_eq!(at(text, "list"), "2:1");
    assert_eq!(at(text, "list.1"), "3:3");
    assert_eq!(at(text, "list.1.other"), "4:10");
    let nested = "- list:\n  - - one\n    - two\n- 'é': x\n  list:\n  -\n    a: b\n";
    assert_eq!(at(nested, "0.list"), "2:3");
    assert_eq!(at(nested, "0.list.0"), "2:5");
    assert_eq!(at(nested, "0.list.0.1"), "3:7");
    assert_eq!(at(nested, "1.list"), "6:3");
    assert_eq!(at(nested, "1.list.0"), "7:5");
}

#[test]
fn flow_values_lie_where_they_begin() {
    let text = "a: { b: [x, 'y', {c: z}], \"d\": e }\nf: [\n  g,\n  h ]\n";
    assert_eq!(at(text, "a"), "1:4");
    assert_eq!(at(text, "a.b"), "1:9");
    assert_eq!(at(text, "a.b.1"), "1:13");
    assert_eq!(at(text, "a.b.2.c"), "1:22");
    assert_eq!(at(text, "a.d"), "1:32");
    assert_eq!(at(text, "f.1"), "4:3");
}

#[test]
fn columns_count_characters() {
    assert_eq!(at("'größe': 日本\nb: {é: ü}\n", "größe"), "1:10");
    assert_eq!(at("a: [日, 本, x]", "a.2"), "1:11");
    assert_eq!(at("a: [😀, x]", "a.1"), "1:8");
}

#[test]
fn every_line_end_is_one() {
    assert_eq!(at("a: 1\r\nb:\r\n  c: 2\r\n", "b.c"), "3:6");
    assert_eq!(at("a: 1\n\n\n# note\nb: 2\n", "b"), "5:4");
}

#[test]
fn a_path_that_leads_nowhere_ends_at_its_nearest_parent() {
    let text = "spec:\n  group:\n    name: x\n  list: [1]\n";
    assert_eq!(at(text, "spec.group.nothing.at.all"), "3:5");
    assert_eq!(at(text, "spec.list.7"), "4:9");
    assert_eq!(at(text, "spec.group.name.below"), "3:11");
    assert_eq!(at(text, "nothing"), "1:1");
}

#[test]
fn where_nothing_is_written_the_key_is_pointed_at() {
    assert_eq!(at("a:\nb:  # nothing\nc: 1\n", "a"), "1:1");
    assert_eq!(at("a: {b: , c: }\n", "a.c"), "1:10");
    assert_eq!(at("a: ~\n", "a"), "1:4");
    assert_eq!(at("a: ''\n", "a"), "1:4");
}

#[test]
fn block_scalars_lie_where_their_text_begins() {
    let text = "a: |\n  one\n  two\nb: >-\n  three\n";
    assert_eq!(at(text, "a"), "2:3");
    assert_eq!(at(text, "b"), "5:3");
    assert_eq!(tree(text).text_at(&path("a")), Some("one\ntwo\n"));
}

#[test]
fn quoted_keys_and_comments_change_nothing() {
    let text = "# top\n\"a b\":   # why\n  'c': d # because\n";
    assert_eq!(at(text, "a b.c"), "3:8");
}

#[test]
fn an_alias_lies_where_it_stands_and_its_parts_where_the_anchor_is() {
    let text = "base: &base\n  name: x\nother: *base\n";
    assert_eq!(at(text, "other"), "3:8");
    assert_eq!(at(text, "other.name"), "2:9");
    assert_eq!(at("a: &x  word\nb: *x\n", "a"), "1:8");
}

#[test]
fn merge_keys_bring_what_is_not_there() {
    let text = "one: &one {a: 1, b: 2}\ntwo: &two {b: 3, c: 4}\nall:\n  <<: [*one, *two]\n  a: 5\nnested:\n  <<: {<<: *two, d: 6}\n";
    let tree = tree(text);
    assert_eq!(tree.text_at(&path("all.a")), Some("5"));
    assert_eq!(tree.text_at(&path("all.b")), Some("2"));
    assert_eq!(tree.text_at(&path("all.c")), Some("4"));
    assert_eq!(tree.text_at(&path("nested.c")), Some("4"));
    assert_eq!(at(text, "all.c"), "2:21");
    // Anything but mappings behind it is a key like any other.
    assert_eq!(at("a: {<<: 7}\n", "a.<<"), "1:9");
}

#[test]
fn documents_are_told_apart() {
    let stream =
        read("%YAML 1.2\n---\na: 1\n...\n---\n# nothing here\n---\n\n---\nb: 2\n--- {d: 3}\n");
    assert_eq!(stream.problems, []);
    let places: Vec<_> = stream
        .trees
        .iter()
        .map(|tree| tree.position(tree.root()).to_string())
        .collect();
    assert_eq!(places, ["3:1", "10:1", "11:5"]);
}

#[test]
fn a_text_without_documents_has_none() {
    for text in [
        "",
        "\n",
        "# only a comment\n",
        "---\n",
        "---\n...\n",
        "---\n---\n",
    ] {
        let stream = read(text);
        assert!(
            stream.trees.is_empty() && stream.problems.is_empty(),
            "{text:?}"
        );
    }
}

#[test]
fn a_mistake_in_one_document_does_not_hide_the_others() {
    let stream = read("a: 1\n---\nb: [1, 2\n---\nc: 3\n");
    assert_eq!(stream.trees.len(), 2);
    assert_eq!(stream.problems.len(), 1);
    assert_eq!(stream.problems[0].code.number(), 1003);
}

#[test]
fn syntax_is_judged_where_it_fails() {
    assert_eq!(problems("a: 1\nb: c: d\n"), ["2:5 DIA1003"]);
    assert_eq!(problems("a:\n\tb: 2\n"), ["2:1 DIA1003"]);
    assert_eq!(problems("a: @b\n"), ["1:4 DIA1003"]);
    assert_eq!(problems("a: *nobody\n"), ["1:4 DIA1003"]);
    assert_eq!(problems("%YAML 3.0\n---\na: 1\n"), ["1:1 DIA1003"]);
    assert_eq!(problems("a: \"open\n"), ["1:4 DIA1003"]);
}

#[test]
fn duplicate_keys_are_found_at_each_place() {
    let found: Vec<_> = tree("a: 1\nb: {c: 1, 'c': 2, \"c\": 3}\n\"a\": 2\n")
        .duplicate_keys()
        .iter()
        .map(brief)
        .collect();
    assert_eq!(
        found,
        [
            "1:1 DIA1006",
            "3:1 DIA1006",
            "2:5 DIA1006",
            "2:11 DIA1006",
            "2:19 DIA1006"
        ]
    );
    assert_eq!(
        tree("a: {b: 1}\nc: {b: 2}\nd: [e, e]\n").duplicate_keys(),
        []
    );
}

#[test]
fn depth_is_limited_exactly() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(MAX_DEPTH)).problems.is_empty());
    assert_eq!(problems(&nested(MAX_DEPTH + 1)), ["1:65 DIA1004"]);
    assert_eq!(problems(&nested(100_000)), ["1:65 DIA1004"]);
    assert_eq!(problems(&"- ".repeat(1000)), ["1:129 DIA1004"]);
    let block: String = (0..=MAX_DEPTH)
        .flat_map(|level| [" ".repeat(level), "k:\n".to_owned()])
        .collect();
    assert_eq!(problems(&block), ["65:65 DIA1004"]);
}

#[test]
fn depth_counts_what_aliases_stand_for() {
    let half = format!("{}{}", "[".repeat(40), "]".repeat(40));
    assert_eq!(
        problems(&format!("a: &a {half}\nb: *a\n")),
        Vec::<String>::new()
    );
    let text = format!("a: &a {half}\nb: {}*a{}\n", "[".repeat(30), "]".repeat(30));
    assert_eq!(problems(&text), ["2:34 DIA1004"]);
}

#[test]
fn alias_bombs_are_refused_at_the_alias_that_is_too_much() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..=8 {
        let alias = format!("*a{}", level - 1);
        let list = vec![alias; 10].join(", ");
        text.extend([format!("a{level}: &a{level} [{list}]\n")]);
    }
    // 11, 111, 1111 and 11111 values; the eighth alias of the fifth line is too much.
    assert_eq!(problems(&text), ["5:45 DIA1005"]);
    assert_eq!(problems("a: &a [*a]\n"), ["1:8 DIA1005"]);
}

#[test]
fn values_and_documents_are_limited() {
    let text = format!("[{}]", "1,".repeat(MAX_VALUES));
    assert_eq!(problems(&text), [format!("1:{} DIA1008", 2 * MAX_VALUES)]);
    let text = "---\na: 1\n".repeat(MAX_DOCUMENTS + 1);
    assert_eq!(
        problems(&text),
        [format!("{}:1 DIA1008", 2 * MAX_DOCUMENTS + 1)]
    );
    assert!(problems(&"---\na: 1\n".repeat(MAX_DOCUMENTS)).is_empty());
}
