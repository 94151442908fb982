//! Builds HTML and SVG whose text is always escaped and whose tags always close.
//!
//! Names of sensors, files and commands come from outside. Text and attributes can only get into a
//! page through [`Element`], which escapes them, so a sensor called `<script>` stays a name.

use std::fmt::{self, Display, Write as _};

/// Elements of HTML that have no end tag.
const VOID: [&str; 3] = ["br", "col", "meta"];
/// Shapes of SVG, which are closed where they open.
const SHAPES: [&str; 4] = ["circle", "line", "path", "rect"];

/// One element with its attributes and all that is in it, written already.
#[derive(Clone, Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: String,
    inner: String,
}

/// An empty element.
pub(super) fn el(name: &'static str) -> Element {
    Element { name, attributes: String::new(), inner: String::new() }
}

/// An element with text in it.
pub(super) fn words(name: &'static str, text: impl Display) -> Element {
    el(name).text(text)
}

impl Element {
    /// Sets an attribute; the caller sets each at most once.
    pub(super) fn attr(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push(' ');
        self.attributes.push_str(name);
        self.attributes.push_str("=\"");
        push_escaped(&mut self.attributes, value);
        self.attributes.push('"');
        self
    }

    pub(super) fn class(self, value: &'static str) -> Self {
        self.attr("class", value)
    }

    /// Adds text at the end.
    pub(super) fn text(mut self, text: impl Display) -> Self {
        push_escaped(&mut self.inner, text);
        self
    }

    /// Adds an element at the end.
    pub(super) fn add(mut self, child: Element) -> Self {
        child.write(&mut self.inner);
        self
    }

    /// Adds elements at the end, of a list or of an `Option`.
    pub(super) fn all(self, children: impl IntoIterator<Item = Element>) -> Self {
        children.into_iter().fold(self, Self::add)
    }

    /// Adds our own style or script as it stands; only what is known when the crate is built.
    pub(super) fn verbatim(mut self, text: &'static str) -> Self {
        self.inner.push_str(text);
        self
    }

    pub(super) fn write(&self, out: &mut String) {
        let Self { name, attributes, inner } = self;
        let _ = write!(out, "<{name}{attributes}");
        if SHAPES.contains(name) && inner.is_empty() {
            out.push_str("/>");
        } else if VOID.contains(name) {
            out.push('>');
        } else {
            let _ = write!(out, ">{inner}</{name}>");
        }
    }
}

/// Passes text on with the five characters replaced that mean something in HTML.
struct Escaping<'a>(&'a mut String);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Browsers refuse the other control characters, NUL above all.
                c if c.is_control() && c != '\n' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

fn push_escaped(out: &mut String, text: impl Display) {
    // Writing to a `String` cannot fail; a `Display` that fails has told nothing worth showing.
    let _ = write!(Escaping(out), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(element: Element, wanted: &str) {
        let mut written = String::new();
        element.write(&mut written);
        assert_eq!(written, wanted);
    }

    #[test]
    fn text_cannot_become_markup() {
        let name = "</td><script>alert('1 & \"2\"')</script>";
        let safe = "&lt;/td&gt;&lt;script&gt;alert(&#39;1 &amp; &quot;2&quot;&#39;)&lt;/script&gt;";
        check(words("td", name), &format!("<td>{safe}</td>"));
        check(el("td").attr("title", name), &format!("<td title=\"{safe}\"></td>"));
        check(words("td", "a\0b\u{1b}\n"), "<td>a\u{fffd}b\u{fffd}\n</td>");
    }

    #[test]
    fn elements_close_as_their_kind_does() {
        check(el("p"), "<p></p>");
        check(el("br"), "<br>");
        check(el("path").attr("d", "M1 2"), "<path d=\"M1 2\"/>");
        check(el("rect").add(words("title", 1)), "<rect><title>1</title></rect>");
        check(el("ul").all([words("li", 1), words("li", 2)]), "<ul><li>1</li><li>2</li></ul>");
    }
}
