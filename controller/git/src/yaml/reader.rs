//! Documents out of text.

use std::collections::{HashMap, HashSet};

use diarchy_core::code::Code;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use super::tree::{Content, Node, NodeId, Tag, Tree};
use super::{MAX_DEPTH, MAX_DOCUMENTS, MAX_EXPANDED_VALUES, MAX_VALUES};
use crate::diagnostic::{Position, Problem};

/// How many collections the parser itself may open. Before it reports a collection it looks as far
/// ahead as a key may be long (1024 characters); above that, [`MAX_DEPTH`] always speaks first.
const PARSER_DEPTH: usize = 2048;

/// What a text holds.
#[derive(Debug, Default)]
pub struct Stream {
    /// The documents that are whole, in their order; those without any value are left out.
    pub trees: Vec<Tree>,
    /// Why others are not.
    pub problems: Vec<Problem>,
}

/// Reads every document of `text`; one that cannot be read does not hide the next one.
pub fn read(text: &str) -> Stream {
    let options = granit_parser::options! {
        flow_nesting_limit: PARSER_DEPTH,
        block_nesting_limit: PARSER_DEPTH,
        emit_comments: false,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut stream = Stream::default();
    let mut builder = Builder::new(text);
    let mut documents = 0;
    let mut values = 0;
    while let Some(event) = parser.next_event() {
        let added =
            event
                .map_err(|error| syntax(text, &error))
                .and_then(|(event, span)| match event {
                    Event::DocumentStart(..) => {
                        documents += 1;
                        builder = Builder::new(text);
                        within(documents, MAX_DOCUMENTS, start(&span), "documents").map(|()| None)
                    }
                    Event::DocumentEnd => {
                        Ok(std::mem::replace(&mut builder, Builder::new(text)).finish())
                    }
                    event => {
                        values += usize::from(event.is_node());
                        within(values, MAX_VALUES, start(&span), "values")?;
                        builder.add(event, &span).map(|()| None)
                    }
                });
        match added {
            Ok(tree) => stream.trees.extend(tree),
            Err(problem) => {
                let last = problem.code == Code::TooManyDocuments;
                stream.problems.push(problem);
                builder = Builder::new(text);
                if last || !parser.proceed_next_document().unwrap_or(false) {
                    break;
                }
            }
        }
    }
    stream
}

fn within(count: usize, most: usize, at: Position, what: &str) -> Result<(), Problem> {
    if count <= most {
        return Ok(());
    }
    Err(Problem::new(
        at,
        Code::TooManyDocuments,
        format!("the file has more than {most} {what}"),
        "split it into several files",
    ))
}

fn syntax(text: &str, error: &ScanError) -> Problem {
    // The parser may notice the end of a text one line behind its last character.
    let marker = error.marker();
    let reported = Position {
        line: marker.line(),
        column: marker.col() + 1,
    };
    let position = tab(text, error)
        .unwrap_or(reported)
        .min(Position::behind(text));
    Problem::new(
        position,
        Code::Syntax,
        format!("this is not YAML ({})", error.info()),
        "correct the syntax; quotes and indentation are the usual causes",
    )
}

/// Where the tab stands that is not allowed; the parser points behind it.
fn tab(text: &str, error: &ScanError) -> Option<Position> {
    let is_tab = matches!(
        error.kind(),
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation
    );
    let before = text.get(..error.marker().byte_offset()?)?;
    let line = before.rsplit(['\n', '\r']).next()?;
    let tab = line.chars().position(|character| character == '\t')?;
    is_tab.then_some(Position {
        line: error.marker().line(),
        column: tab + 1,
    })
}

fn start(span: &Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// A collection that is not closed yet.
struct Open {
    id: NodeId,
    children: Vec<NodeId>,
    /// Levels of collections in it, itself included.
    height: usize,
}

/// Builds one document out of its events.
struct Builder<'t> {
    text: &'t str,
    nodes: Vec<Node>,
    /// By node: how many values it stands for with its aliases followed, and its levels.
    measures: Vec<(usize, usize)>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    /// Anchors of collections that are not closed yet.
    unfinished: HashSet<NodeId>,
    expanded: usize,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            nodes: Vec::new(),
            measures: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            unfinished: HashSet::new(),
            expanded: 0,
        }
    }

    fn add(&mut self, event: Event<'_>, span: &Span) -> Result<(), Problem> {
        let position = start(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                // For nothing at all the parser says `~`, where no character stands.
                let missing = plain && span.is_empty();
                let text = if missing {
                    String::new()
                } else {
                    text.into_owned()
                };
                let position = self.key_position().filter(|_| missing).unwrap_or(position);
                let content = Content::Scalar { text, plain };
                let id = self.push(position, tag.as_deref(), content, anchor, (1, 0));
                self.attach(id);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let dash = self.dash(span).filter(|_| style == StructureStyle::Block);
                let position = dash.unwrap_or(position);
                self.begin(position, anchor, tag.as_deref(), Content::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(
                    position,
                    anchor,
                    tag.as_deref(),
                    Content::Mapping(Vec::new()),
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, position)?,
            _ => {}
        }
        Ok(())
    }

    /// Where the key stands whose value comes next.
    fn key_position(&self) -> Option<Position> {
        let open = self.open.last()?;
        let is_mapping = matches!(self.nodes[open.id.0 as usize].content, Content::Mapping(_));
        let key = open
            .children
            .last()
            .filter(|_| open.children.len() % 2 == 1)?;
        is_mapping.then(|| self.nodes[key.0 as usize].position)
    }

    /// Where the first dash stands of a list that is no further right than its key; of such a list
    /// the parser only says what lies behind the dash.
    fn dash(&self, span: &Span) -> Option<Position> {
        let column = self.key_position()?.column;
        let before = self.text.get(..span.start.byte_offset()?)?;
        let line = before.rsplit(['\n', '\r']).next()?;
        let (indent, rest) = line.split_at_checked(column - 1)?;
        let is_dash = rest.starts_with('-') && indent.bytes().all(|byte| byte == b' ');
        is_dash.then_some(Position {
            line: span.start.line(),
            column,
        })
    }

    fn push(
        &mut self,
        position: Position,
        tag: Option<&granit_parser::Tag>,
        content: Content,
        anchor: usize,
        measures: (usize, usize),
    ) -> NodeId {
        // A file has at most `MAX_VALUES` nodes, far below what 32 bits count.
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node {
            position,
            tag: tag.map(understood),
            content,
        });
        self.measures.push(measures);
        self.expanded = self.expanded.saturating_add(measures.0);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    fn attach(&mut self, id: NodeId) {
        if let Some(parent) = self.open.last_mut() {
            let (weight, height) = self.measures[id.0 as usize];
            parent.children.push(id);
            parent.height = parent.height.max(height + 1);
            let measures = &mut self.measures[parent.id.0 as usize];
            measures.0 = measures.0.saturating_add(weight);
        }
    }

    fn begin(
        &mut self,
        position: Position,
        anchor: usize,
        tag: Option<&granit_parser::Tag>,
        content: Content,
    ) -> Result<(), Problem> {
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(position));
        }
        let id = self.push(position, tag, content, anchor, (1, 1));
        self.unfinished.insert(id);
        self.open.push(Open {
            id,
            children: Vec::new(),
            height: 1,
        });
        Ok(())
    }

    fn end(&mut self) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        let index = closed.id.0 as usize;
        match &mut self.nodes[index].content {
            Content::List(items) => *items = closed.children,
            Content::Mapping(entries) => {
                let (pairs, _) = closed.children.as_chunks::<2>();
                *entries = pairs.iter().map(|[key, value]| (*key, *value)).collect();
            }
            Content::Scalar { .. } | Content::Alias(_) => {}
        }
        self.measures[index].1 = closed.height;
        self.unfinished.remove(&closed.id);
        self.attach(closed.id);
    }

    fn alias(&mut self, anchor: usize, position: Position) -> Result<(), Problem> {
        let Some(&target) = self.anchors.get(&anchor) else {
            return Err(Problem::new(
                position,
                Code::Syntax,
                "this alias names no anchor before it",
                "write the value out",
            ));
        };
        if self.unfinished.contains(&target) {
            return Err(Problem::new(
                position,
                Code::TooManyAliases,
                "this alias stands in the value that it names",
                "write the value out",
            ));
        }
        let measures = self.measures[target.0 as usize];
        if self.open.len() + measures.1 > MAX_DEPTH {
            return Err(too_deep(position));
        }
        let id = self.push(position, None, Content::Alias(target), 0, measures);
        if self.expanded > MAX_EXPANDED_VALUES {
            return Err(Problem::new(
                position,
                Code::TooManyAliases,
                format!("with its aliases the document has more than {MAX_EXPANDED_VALUES} values"),
                "use fewer aliases",
            ));
        }
        self.attach(id);
        Ok(())
    }

    /// The document, if it holds anything.
    fn finish(self) -> Option<Tree> {
        // The root is what was begun first: everything else lies in it.
        let root = self.nodes.first()?;
        let nothing =
            matches!(&root.content, Content::Scalar { text, plain: true } if text.is_empty());
        (!nothing).then_some(Tree {
            nodes: self.nodes,
            root: NodeId(0),
        })
    }
}

fn too_deep(position: Position) -> Problem {
    Problem::new(
        position,
        Code::NestedTooDeeply,
        format!("this is nested more than {MAX_DEPTH} levels deep"),
        "write it flatter",
    )
}

fn understood(tag: &granit_parser::Tag) -> Tag {
    let non_specific = tag.handle().is_empty() && tag.suffix() == "!";
    if tag.is_yaml_core_schema_tag("str") || non_specific {
        Tag::Text
    } else if tag.is_yaml_core_schema() {
        Tag::Core
    } else {
        Tag::Other(tag.original())
    }
}
