use diarchy_core::finding::{FieldPath, Segment};
use proptest::prelude::*;

use super::tree;
use crate::diagnostic::Position;
use crate::document::File;
use crate::yaml::{decode, read};

/// A document of which every leaf is a word that stands nowhere else.
#[derive(Debug, Clone)]
enum Shape {
    Leaf,
    List(Vec<Shape>),
    Mapping(Vec<Shape>),
}

fn shapes() -> impl Strategy<Value = Shape> {
    Just(Shape::Leaf).prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..5).prop_map(Shape::List),
            proptest::collection::vec(inner, 1..5).prop_map(Shape::Mapping),
        ]
    })
}

/// Writes a shape as text, in the style that the next number of `styles` asks for.
struct Writer<'s> {
    text: String,
    leaves: Vec<(FieldPath, String)>,
    styles: std::iter::Cycle<std::slice::Iter<'s, u8>>,
    line_end: &'s str,
}

impl Writer<'_> {
    fn style(&mut self, of: u8) -> u8 {
        self.styles.next().copied().unwrap_or(0) % of
    }

    fn leaf(&mut self, path: &FieldPath) {
        // Multibyte, quoted and plain words; the number in brackets makes each unique.
        let word = match self.style(3) {
            0 => format!("w({})", self.leaves.len()),
            1 => format!("\"日é({})\"", self.leaves.len()),
            _ => format!("'q({})'", self.leaves.len()),
        };
        self.text += &word;
        self.leaves.push((path.clone(), word));
    }

    fn line(&mut self, indent: usize) {
        if self.style(4) == 0 {
            self.text += "  # größer";
        }
        self.text += self.line_end;
        self.text += &" ".repeat(indent);
    }

    fn flow(&mut self, shape: &Shape, path: &FieldPath) {
        let (open, close, children) = match shape {
            Shape::Leaf => return self.leaf(path),
            Shape::List(items) => ('[', ']', items),
            Shape::Mapping(items) => ('{', '}', items),
        };
        self.text.push(open);
        for (at, child) in children.iter().enumerate() {
            if at > 0 {
                self.text += ", ";
            }
            let below = if open == '[' {
                path.index(at)
            } else {
                self.text.extend(["ключ", &at.to_string(), ": "]);
                path.key(format!("ключ{at}"))
            };
            self.flow(child, &below);
        }
        self.text.push(close);
    }

    fn block(&mut self, shape: &Shape, path: &FieldPath, indent: usize) {
        let (is_list, children) = match shape {
            Shape::Leaf => {
                self.text.push(' ');
                return self.leaf(path);
            }
            _ if self.style(3) == 0 => {
                self.text.push(' ');
                return self.flow(shape, path);
            }
            Shape::List(items) => (true, items),
            Shape::Mapping(items) => (false, items),
        };
        for (at, child) in children.iter().enumerate() {
            self.line(indent);
            let below = if is_list {
                self.text.push('-');
                path.index(at)
            } else {
                self.text.extend(["k", &at.to_string(), ":"]);
                path.key(format!("k{at}"))
            };
            self.block(child, &below, indent + 2);
        }
    }
}

/// The place of the only `needle`, found by looking through every line.
fn search(text: &str, needle: &str) -> Position {
    for (line, content) in text.lines().enumerate() {
        if let Some(at) = content.find(needle) {
            return Position {
                line: line + 1,
                column: content[..at].chars().count() + 1,
            };
        }
    }
    panic!("{needle} is not in the text");
}

proptest! {
    #[test]
    fn positions_agree_with_a_search(
        shape in shapes(),
        styles in proptest::collection::vec(any::<u8>(), 1..50),
        crlf in any::<bool>(),
    ) {
        let mut writer = Writer {
            text: "root:".to_owned(),
            leaves: Vec::new(),
            styles: styles.iter().cycle(),
            line_end: if crlf { "\r\n" } else { "\n" },
        };
        let root = FieldPath::from_iter([Segment::Key("root".into())]);
        writer.block(&shape, &root, 2);
        writer.text += writer.line_end;
        let tree = tree(&writer.text);
        for (path, word) in &writer.leaves {
            prop_assert_eq!(tree.locate(path), search(&writer.text, word), "{}\n{}", path, writer.text);
            prop_assert_eq!(tree.text_at(path), Some(word.trim_matches(['"', '\''])));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        File::parse(&bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a-z:,#&*!|>'\"%@`{}\\[\\]?~<. \t\r\n0-9é\u{FEFF}]{0,200}") {
        judge(&text)?;
    }

    #[test]
    fn no_damaged_document_makes_it_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..6)
    ) {
        let mut characters: Vec<char> = GOOD.chars().collect();
        for (place, character) in damage {
            let place = place.index(characters.len());
            characters[place] = character;
        }
        judge(&characters.into_iter().collect::<String>())?;
    }
}

/// Whatever a text says, its findings lie within it and its trees can be walked.
fn judge(text: &str) -> Result<(), TestCaseError> {
    let file = File::parse(text.as_bytes());
    let lines = text.split(['\n', '\r']).count();
    let of_documents = file
        .documents
        .iter()
        .flat_map(|document| &document.problems);
    for problem in file.problems.iter().chain(of_documents) {
        prop_assert!(problem.position.line >= 1 && problem.position.column >= 1);
        prop_assert!(
            problem.position.line <= lines,
            "{:?} of {:?}",
            problem,
            text
        );
        prop_assert!(!problem.problem.is_empty() && !problem.remedy.is_empty());
    }
    for tree in read(text).trees {
        let _ = decode::<serde::de::IgnoredAny>(&tree, tree.root());
        tree.duplicate_keys();
    }
    Ok(())
}

const GOOD: &str = "\
apiVersion: diarchy.dev/v1alpha1
kind: DeviceGroup
metadata: { name: emea, namespace: contoso, labels: &labels { a: b } }
spec:
  fleetRef: { name: contoso }
  selector:
    matchAttributes:
      - { key: country, operator: In, values: [FR, \"NO\"] }
      - key: model
        operator: Glob
        values:
        - |-
          Latitude*
  devices: ['LAPTOP-0042', \"x\"]   # by name
---
<<: *labels
";
