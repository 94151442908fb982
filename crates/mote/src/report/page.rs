//! What the sections of the page are made of: headings, tables, legends, empty states.

use super::html::{Element, el, words};

/// A section with its heading, that the table of contents leads to.
pub(super) fn section(id: &'static str, title: &str) -> Element {
    el("section").attr("id", id).add(words("h2", title))
}

/// The one sentence that stands where there is nothing to show.
pub(super) fn none(why: &str) -> Element {
    words("p", why).class("none")
}

/// A figure with a caption below.
pub(super) fn figure(picture: Element, caption: &str) -> Element {
    el("figure").add(picture).add(words("figcaption", caption))
}

/// The heading of a column, and how its cells stand.
#[derive(Clone, Debug)]
pub(super) struct Column {
    name: String,
    numeric: bool,
}

impl Column {
    pub(super) fn text(name: &str) -> Self {
        Self { name: name.into(), numeric: false }
    }

    /// Numbers stand at the right, below one another.
    pub(super) fn number(name: &str) -> Self {
        Self { name: name.into(), numeric: true }
    }
}

/// A table that becomes a list of cards where it would be too wide. The first cell of each row is
/// its heading.
pub(super) fn table(
    name: &str,
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<Element>>,
) -> Element {
    let class = |c: &Column| if c.numeric { "n" } else { "t" };
    let heads = columns.iter().map(|c| words("th", &c.name).attr("scope", "col").class(class(c)));
    let head = el("thead").add(el("tr").all(heads));
    let body = rows.into_iter().map(|cells| {
        let cells = cells.into_iter().zip(columns).enumerate().map(|(i, (cell, column))| {
            let cell = if i == 0 {
                el("th").attr("scope", "row").add(cell)
            } else {
                el("td").attr("data-name", &column.name).add(cell)
            };
            cell.class(class(column))
        });
        el("tr").all(cells)
    });
    let table = el("table").add(words("caption", name)).add(head).add(el("tbody").all(body));
    el("div").class("table").add(table)
}

/// An entry of a legend: a small sample of what is drawn, and its meaning.
pub(super) fn swatch(class: &'static str, meaning: impl std::fmt::Display) -> Element {
    let sample = el("svg").class("swatch").attr("viewBox", "0 0 22 12").attr("aria-hidden", "true");
    let path = |d: &'static str| el("path").class(class).attr("d", d);
    let sample = sample.add(match class {
        "score" | "threshold" | "train" | "held" => path("m0 6h22"),
        "normal" => path("m11 6h0"),
        "strange" => path("m7 2l8 8m0-8l-8 8"),
        _ => path("m1 1h20v10h-20z"),
    });
    el("li").add(sample).text(meaning)
}

/// A bar as long as its share, 0 to 1.
pub(super) fn bar(share: f64) -> Element {
    let width = if share.is_finite() { share.clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    let bar = el("rect").attr("width", format!("{width:.1}")).attr("height", 10);
    el("svg")
        .class("bar")
        .attr("viewBox", "0 0 100 10")
        .attr("preserveAspectRatio", "none")
        .attr("aria-hidden", "true")
        .add(bar)
}

/// Names beside their values.
pub(super) fn facts(pairs: impl IntoIterator<Item = (String, Element)>) -> Element {
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| el("div").add(words("dt", name)).add(el("dd").add(value)));
    el("dl").class("facts").all(pairs)
}
