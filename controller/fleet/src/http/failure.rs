//! What a service says when it refuses: JSON of several shapes, or a page for people.

use serde_json::Value;

/// How much of a service's words is repeated.
const LONGEST: usize = 300;

/// The gist of an error body, on one line.
///
/// Graph nests `error.code`, `error.message` and sometimes another JSON text inside the message;
/// its inner error is spelled `innerError` and `innererror`. The `AdminService` sends the same shape,
/// a bare `Message`, or a web server's HTML.
pub(crate) fn gist(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words = match serde_json::from_str::<Value>(&text) {
        Ok(value) => said(&value, 0),
        Err(_) if text.trim_start().starts_with('<') => page_title(&text),
        Err(_) => Some(text.to_string()),
    };
    let words = words.map(|words| one_line(&words)).unwrap_or_default();
    if words.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status}: {words}")
    }
}

fn said(value: &Value, depth: usize) -> Option<String> {
    if depth > 4 {
        return None;
    }
    let Value::Object(fields) = value else {
        return value.as_str().map(str::to_owned);
    };
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    // OAuth: `error` is a word, and `error_description` explains it.
    if let Some(description) = field("error_description").and_then(Value::as_str) {
        let word = field("error").and_then(Value::as_str).unwrap_or("error");
        return Some(format!("{word}: {description}"));
    }
    if let Some(error) = field("error") {
        return said(error, depth + 1);
    }
    let code = field("code").and_then(Value::as_str);
    let message = field("message")
        .or_else(|| field("ExceptionMessage"))
        .and_then(|message| {
            let text = message.as_str()?;
            match serde_json::from_str::<Value>(text) {
                Ok(inner @ Value::Object(_)) => said(&inner, depth + 1),
                _ => Some(text.to_owned()),
            }
        });
    let inner = field("innererror").and_then(|inner| said(inner, depth + 1));
    let parts: Vec<String> = [code.map(str::to_owned), message, inner]
        .into_iter()
        .flatten()
        .filter(|part| !part.trim().is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

fn page_title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let length = lower.get(start..)?.find("</title>")?;
    html.get(start..start + length).map(str::to_owned)
}

/// `text` without line breaks and control characters, shortened.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > LONGEST {
            line = line.chars().take(LONGEST).collect();
            line.push('…');
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_words_in_every_shape() {
        for (body, expected) in [
            (
                r#"{"error":{"code":"TooManyRequests","message":"slow\n down","innerError":{"date":"x"}}}"#,
                "HTTP 400: TooManyRequests: slow down",
            ),
            (
                r#"{"error":{"code":"A","message":"{\"Message\":\"nested\"}","innererror":{"code":"B"}}}"#,
                "HTTP 400: A: nested: B",
            ),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: no"}"#,
                "HTTP 400: invalid_client: AADSTS7000215: no",
            ),
            (
                r#"{"Message":"An error has occurred."}"#,
                "HTTP 400: An error has occurred.",
            ),
            (
                "<html><head><TITLE>Bad Gateway</TITLE>",
                "HTTP 400: Bad Gateway",
            ),
            ("<html>", "HTTP 400"),
            ("plain", "HTTP 400: plain"),
            ("", "HTTP 400"),
            ("{}", "HTTP 400"),
            ("[1]", "HTTP 400"),
            (
                r#"{"error":{"error":{"error":{"error":{"error":{"message":"deep"}}}}}}"#,
                "HTTP 400",
            ),
        ] {
            assert_eq!(gist(400, body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn is_short_whatever_comes() {
        assert!(one_line(&"word ".repeat(1000)).chars().count() <= LONGEST + 1);
        assert!(one_line(&"x".repeat(100_000)).chars().count() <= LONGEST + 1);
        assert_eq!(gist(500, &[0xff, 0xfe, 0]), "HTTP 500: \u{fffd}\u{fffd}");
    }
}
