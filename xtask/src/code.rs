//! Rust source with its comments and literals blanked out, and the few things that rules ask of it.
//!
//! A scanner instead of a parser: it sees into the arguments of macros, where a syntax tree has
//! only tokens, it never refuses a file, and it needs no dependency. What it does not know: macros
//! that make functions, and braces in the types of a signature.

use std::ops::RangeInclusive;

/// A file's code: same bytes, same lines, but with blanks for comments and for what stands in
/// quotes.
#[derive(Debug)]
pub(crate) struct Code {
    blanked: String,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name, without its path.
    pub(crate) name: String,
    /// The lines from `fn` to the closing brace, counted from 1.
    pub(crate) lines: RangeInclusive<usize>,
}

/// An item that is compiled for tests only.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestItem {
    /// Its lines, attribute included, counted from 1.
    pub(crate) lines: RangeInclusive<usize>,
    /// The file that it stands for, relative to the folder of the module's children, where it is
    /// `mod name;`, and whether an attribute names that file outright.
    pub(crate) module: Option<Module>,
}

/// A module in a file of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Module {
    /// `mod name;`
    Named(String),
    /// `#[path = "file"] mod name;`
    At(String),
}

impl Code {
    /// Blanks the comments and literals of a Rust file.
    pub(crate) fn new(text: &str) -> Self {
        let mut blanked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let literal = literal_length(rest, blanked.chars().next_back());
            let length = literal.unwrap_or(c.len_utf8());
            let (token, after) = rest.split_at(length);
            match literal {
                // One blank for each byte keeps offsets, and thereby lines, those of the text.
                Some(_) => {
                    blanked.extend(token.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
                }
                None => blanked.push_str(token),
            }
            rest = after;
        }
        Self { blanked }
    }

    /// The lines of the code with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.blanked.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    /// The numbers of the lines that hold `phrase` as whole words.
    pub(crate) fn lines_with(&self, phrase: &str) -> impl Iterator<Item = usize> {
        self.lines().filter(move |(_, line)| has_words(line, phrase)).map(|(number, _)| number)
    }

    /// All functions that have a body, in the order of their first lines.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for start in words(&self.blanked, "fn") {
            let signature = &self.blanked[start + 2..];
            let name = identifier(signature.trim_start());
            // `fn(i32) -> i32` is a type.
            if name.is_empty() {
                continue;
            }
            if let Some(length) = item_length(signature, Ends::WithBody) {
                let lines = self.line_of(start)..=self.line_of(start + 2 + length - 1);
                functions.push(Function { name: name.to_owned(), lines });
            }
        }
        functions
    }

    /// All items under `#[cfg(test)]`; `text` is what this code was made of.
    pub(crate) fn test_items(&self, text: &str) -> Vec<TestItem> {
        let mut items = Vec::new();
        for (start, _) in self.blanked.match_indices("#[cfg(") {
            let Some(condition) = bracketed(&self.blanked[start + 1..]) else { continue };
            let is_test = words(condition, "test").next().is_some();
            if !is_test || condition.contains("not(test") {
                continue;
            }
            let mut item = start + 1 + condition.len();
            let mut module_path = None;
            // The attributes that follow belong to the same item.
            while let Some(at) = attribute_at(&self.blanked[item..]) {
                let Some(attribute) = bracketed(&self.blanked[item + at..]) else { break };
                let original = &text[item + at..][..attribute.len()];
                if attribute.starts_with("[path") {
                    module_path = original.split('"').nth(1).map(str::to_owned);
                }
                item += at + attribute.len();
            }
            let Some(length) = item_length(&self.blanked[item..], Ends::Anywhere) else { continue };
            let lines = self.line_of(start)..=self.line_of(item + length - 1);
            let module = module_name(&self.blanked[item..item + length])
                .map(|name| module_path.map_or_else(|| Module::Named(name), Module::At));
            items.push(TestItem { lines, module });
        }
        items
    }

    /// The body of the first braces at or after `start`, without the braces.
    pub(crate) fn body_after(&self, start: usize) -> Option<&str> {
        let open = start + self.blanked[start..].find('{')?;
        let body = bracketed(&self.blanked[open..])?;
        Some(&body[1..body.len() - 1])
    }

    /// The code itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.blanked
    }

    fn line_of(&self, offset: usize) -> usize {
        1 + self.blanked[..offset].bytes().filter(|b| *b == b'\n').count()
    }
}

/// Whether `line` holds `phrase` with no letter, digit or underscore against its word ends.
pub(crate) fn has_words(line: &str, phrase: &str) -> bool {
    words(line, phrase).next().is_some()
}

/// The offsets of `phrase` as whole words.
fn words<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    let open = phrase.starts_with(in_word);
    let close = phrase.ends_with(in_word);
    text.match_indices(phrase).map(|(start, _)| start).filter(move |start| {
        let before = text[..*start].chars().next_back();
        let after = text[*start + phrase.len()..].chars().next();
        let goes_on = open && before.is_some_and(in_word) || close && after.is_some_and(in_word);
        !goes_on
    })
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The identifier at the start of `text`, empty where there is none.
pub(crate) fn identifier(text: &str) -> &str {
    let text = text.strip_prefix("r#").unwrap_or(text);
    &text[..text.find(|c| !in_word(c)).unwrap_or(text.len())]
}

/// The bytes of the comment or literal at the start of `text`, or `None` where code stands.
fn literal_length(text: &str, before: Option<char>) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment_length(text));
    }
    if text.starts_with('\'') {
        return character_length(text);
    }
    // A prefix counts only at the start of a word: in `bar"`, the `r` belongs to a name.
    let prefix = match before {
        Some(c) if in_word(c) => "",
        _ => ["br", "cr", "b", "c", "r"].into_iter().find(|p| text.starts_with(p)).unwrap_or(""),
    };
    let quoted = &text[prefix.len()..];
    if prefix == "b" && quoted.starts_with('\'') {
        return character_length(quoted).map(|length| length + 1);
    }
    let hashes = match prefix.ends_with('r') {
        true => quoted.len() - quoted.trim_start_matches('#').len(),
        false => 0,
    };
    let inner = quoted[hashes..].strip_prefix('"')?;
    let length = match prefix.ends_with('r') {
        true => {
            let end = format!("\"{}", "#".repeat(hashes));
            inner.find(&end).map_or(inner.len(), |at| at + end.len())
        }
        false => string_length(inner),
    };
    Some(prefix.len() + hashes + 1 + length)
}

/// The bytes of an escaped string after its opening quote, closing quote included.
fn string_length(inner: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    inner.len()
}

/// The bytes of a character literal, or `None` where the quote opens a lifetime.
fn character_length(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    match chars.next()? {
        (_, '\\') => {
            // What is escaped may itself be a quote.
            let (at, escaped) = chars.next()?;
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map(|end| from + end + 1)
        }
        _ => chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
    }
}

/// The bytes of a block comment, which may hold others.
fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// What may end an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Only a body in braces: an item that a semicolon ends is not wanted.
    WithBody,
    /// A body or a semicolon.
    Anywhere,
}

/// The bytes up to the end of the item that starts here.
fn item_length(code: &str, ends: Ends) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.checked_sub(1)?,
            '{' if depth == 0 => return bracketed(&code[at..]).map(|body| at + body.len()),
            ';' if depth == 0 => return (ends == Ends::Anywhere).then_some(at + 1),
            _ => {}
        }
    }
    None
}

/// The text from the bracket at its start to the one that closes it, both included.
fn bracketed(code: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(&code[..=at]);
        }
    }
    None
}

/// Where the bracket of an attribute opens, if nothing but blanks stands before it.
fn attribute_at(code: &str) -> Option<usize> {
    let trimmed = code.trim_start();
    trimmed.starts_with("#[").then(|| code.len() - trimmed.len() + 1)
}

/// The name in `mod name;`.
fn module_name(item: &str) -> Option<String> {
    let start = words(item, "mod").next()?;
    let rest = item[start + 3..].trim_start();
    let name = identifier(rest);
    rest[name.len()..].trim_start().starts_with(';').then(|| name.to_owned())
}

#[cfg(test)]
#[path = "code_tests.rs"]
mod tests;
