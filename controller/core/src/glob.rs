//! Patterns with `*` and `?`, and nothing else.

/// Whether `text` matches `pattern`, where `*` stands for any characters (also none) and `?` for
/// exactly one. Every other character, `[` included, stands for itself.
///
/// Both are compared as given: fold their case first. Takes at most `pattern` × `text` steps.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    let mut text_rest = text.chars();
    // Where to go on after the last `*` when what follows it does not fit.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        match (pattern_rest.next(), text_rest.clone().next()) {
            (None, None) => return true,
            (Some('*'), _) => retry = Some((pattern_rest.clone(), text_rest.clone())),
            (Some('?'), Some(_)) => {
                text_rest.next();
            }
            (Some(expected), Some(found)) if expected == found => {
                text_rest.next();
            }
            _ => {
                let Some((after_star, mut skipped)) = retry.take() else {
                    return false;
                };
                // The star swallows one character more.
                if skipped.next().is_none() {
                    return false;
                }
                pattern_rest = after_star.clone();
                text_rest = skipped.clone();
                retry = Some((after_star, skipped));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_star_and_question_mark_only() {
        for (pattern, text, expected) in [
            ("latitude 7*", "latitude 7440", true),
            ("latitude 7*", "latitude 5440", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("", "", true),
            ("", "x", false),
            ("**x", "x", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    /// The definition, without a thought for speed.
    fn defined(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                defined(rest, text) || (!text.is_empty() && defined(pattern, &text[1..]))
            }
            (Some(('?', rest)), Some((_, text))) => defined(rest, text),
            (Some((expected, rest)), Some((found, text))) => {
                expected == found && defined(rest, text)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), defined(&chars(&pattern), &chars(&text)));
        }
    }
}
