//! The parts that every plot has: a frame with names, axes, and compact paths.

use super::{
    html::{Element, el, words},
    scale::{Scale, Tick},
};

/// The outer size of a plot and its margins, in pixels of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// The plots that stand in pairs. They are about as wide as a phone, so that their letters stay
/// legible there.
pub(super) const SMALL: Frame =
    Frame { width: 460.0, height: 310.0, left: 52.0, right: 18.0, top: 34.0, bottom: 46.0 };

impl Frame {
    /// From the left edge of the plot to its right.
    pub(super) fn across(&self) -> (f64, f64) {
        (self.left, self.width - self.right)
    }

    /// From the bottom of the plot up to its top.
    pub(super) fn upward(&self) -> (f64, f64) {
        (self.height - self.bottom, self.top)
    }

    /// An empty picture. A screen reader says the title and then the description.
    pub(super) fn picture(&self, id: &str, title: &str, description: &str) -> Element {
        picture(id, self.width, self.height, title, description)
    }

    /// Lines across the plot with their values at the left, and the name of the axis above them.
    pub(super) fn y_axis(&self, ticks: &[Tick], name: &str) -> Element {
        let (left, right) = self.across();
        let mut lines = Path::default();
        let mut axis = el("g").class("axis");
        for tick in ticks {
            lines.line((left, tick.at), (right, tick.at));
        }
        axis = axis.add(lines.element("grid"));
        axis = axis.all(ticks.iter().map(|t| label(left - 7.0, t.at + 4.0, "end", &t.label)));
        axis.add(label(0.0, self.top - 16.0, "start", name).class("name"))
    }

    /// A base line with marks, their values, and the name of the axis below.
    pub(super) fn x_axis(&self, ticks: &[Tick], name: &str) -> Element {
        let ((left, right), (base, _)) = (self.across(), self.upward());
        let mut marks = Path::default();
        marks.line((left, base), (right, base));
        for tick in ticks {
            marks.line((tick.at, base), (tick.at, base + 4.0));
        }
        let axis = el("g").class("axis").add(marks.element("base"));
        let axis = axis.all(ticks.iter().map(|t| {
            // Labels at the ends stay inside of the picture.
            let half = text_width(&t.label) / 2.0;
            let x = t.at.clamp(half, (self.width - half).max(half));
            label(x, base + 18.0, "middle", &t.label)
        }));
        let middle = (left + right) / 2.0;
        axis.add(label(middle, base + 38.0, "middle", name).class("name"))
    }

    /// A dashed line across the height at a value of `x`.
    pub(super) fn upright(&self, x: &Scale, value: f64) -> Element {
        let ((base, top), at) = (self.upward(), x.at(value));
        let mut path = Path::default();
        path.line((at, base), (at, top));
        path.element("threshold")
    }
}

/// An empty picture of any size.
pub(super) fn picture(id: &str, width: f64, height: f64, title: &str, about: &str) -> Element {
    el("svg")
        .attr("viewBox", format!("0 0 {width} {height}"))
        .attr("role", "img")
        .attr("aria-labelledby", format!("{id}-t {id}-d"))
        .add(words("title", title).attr("id", format!("{id}-t")))
        .add(words("desc", about).attr("id", format!("{id}-d")))
}

/// Text at a place; `anchor` is `start`, `middle` or `end`.
pub(super) fn label(x: f64, y: f64, anchor: &'static str, text: &str) -> Element {
    let place = el("text").attr("x", short(x)).attr("y", short(y)).text(text);
    if anchor == "start" { place } else { place.attr("text-anchor", anchor) }
}

/// About how wide text of 13 pixels is: a little more than the truth in most fonts.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 7.6
}

/// Moves labels apart that would overlap, each as little as possible, within `top..bottom`.
pub(super) fn spread(places: &mut [f64], gap: f64, top: f64, bottom: f64) {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let mut least = top;
    for &i in &order {
        places[i] = places[i].max(least);
        least = places[i] + gap;
    }
    let mut most = bottom;
    for &i in order.iter().rev() {
        places[i] = places[i].min(most);
        most = places[i] - gap;
    }
}

/// A number with at most one decimal, which is a tenth of a pixel.
fn short(x: f64) -> String {
    tenths_text((x * 10.0).round() as i64)
}

fn tenths_text(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    match (tenths.abs() / 10, tenths.abs() % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, tenth) => format!("{sign}.{tenth}"),
        (whole, tenth) => format!("{sign}{whole}.{tenth}"),
    }
}

/// The `d` of a path, in steps of a tenth of a pixel. Moves are relative to the place as it was
/// rounded, so that errors do not add up; long series then cost about six bytes a point.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    d: String,
    at: (i64, i64),
    /// The command that numbers now continue.
    command: char,
}

impl Path {
    pub(super) fn is_empty(&self) -> bool {
        self.d.is_empty()
    }

    /// Lifts the pen and sets it down elsewhere.
    pub(super) fn move_to(&mut self, x: f64, y: f64) {
        self.step('m', x, y);
        // Numbers after an `m` are lines.
        self.command = 'l';
    }

    pub(super) fn line_to(&mut self, x: f64, y: f64) {
        self.step('l', x, y);
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.move_to(from.0, from.1);
        self.line_to(to.0, to.1);
    }

    /// A line through all points.
    pub(super) fn through(&mut self, points: impl IntoIterator<Item = (f64, f64)>) {
        for (i, (x, y)) in points.into_iter().enumerate() {
            if i == 0 { self.move_to(x, y) } else { self.line_to(x, y) }
        }
    }

    /// Back to where the pen was last set down; what follows begins with a move.
    pub(super) fn close(&mut self) {
        self.d.push('z');
        self.command = 'z';
    }

    /// A filled box.
    pub(super) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64) {
        let tenth = |v: f64| (v * 10.0).round() as i64;
        let (w, h) = (tenth(x + width) - tenth(x), tenth(y + height) - tenth(y));
        self.move_to(x, y);
        let [w_text, h_text, back] = [w, h, -w].map(tenths_text);
        self.d.push_str(&format!("h{w_text}v{h_text}h{back}z"));
        // A closed path ends where it began.
        self.command = 'z';
    }

    /// A dot, drawn by the round ends of a line without length.
    pub(super) fn dot(&mut self, x: f64, y: f64) {
        self.move_to(x, y);
        self.d.push_str("h0");
        self.command = 'h';
    }

    pub(super) fn element(&self, class: &'static str) -> Element {
        el("path").class(class).attr("d", &self.d)
    }

    fn step(&mut self, command: char, x: f64, y: f64) {
        let to = ((x * 10.0).round() as i64, (y * 10.0).round() as i64);
        let first = self.d.is_empty();
        if self.command != command || command == 'm' {
            self.d.push(command);
            self.command = command;
        } else if to.0 >= self.at.0 {
            self.d.push(' ');
        }
        let dx = tenths_text(to.0 - self.at.0);
        let dy = tenths_text(to.1 - self.at.1);
        self.d.push_str(&dx);
        if !dy.starts_with('-') {
            self.d.push(' ');
        }
        self.d.push_str(&dy);
        debug_assert!(!first || command == 'm', "a path begins with a move");
        self.at = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_and_short() {
        let mut path = Path::default();
        path.through([(10.0, 20.0), (10.5, 20.0), (9.0, -3.26)]);
        path.bar(0.0, 0.0, 3.0, 4.04);
        path.dot(1.0, 1.0);
        assert_eq!(path.d, "m10 20 .5 0-1.5-23.3m-9 3.3h3v4h-3zm1 1h0");
    }

    #[test]
    fn rounding_does_not_add_up() {
        let mut path = Path::default();
        path.through((0..1000).map(|i| (f64::from(i) * 0.333, 0.0)));
        assert_eq!(path.at, (3327, 0));
    }

    #[test]
    fn close_labels_are_moved_apart_within_bounds() {
        let mut places = [50.0, 52.0, 10.0, 99.0];
        spread(&mut places, 14.0, 0.0, 90.0);
        assert_eq!(places, [50.0, 64.0, 10.0, 90.0]);
        let mut same = [5.0; 3];
        spread(&mut same, 10.0, 0.0, 20.0);
        assert_eq!(same, [0.0, 10.0, 20.0]);
    }

    #[test]
    fn pictures_have_a_name_and_a_description() {
        let mut page = String::new();
        SMALL.picture("roc", "ROC", "A <curve>").write(&mut page);
        assert!(page.contains("aria-labelledby=\"roc-t roc-d\""));
        assert!(page.contains("<title id=\"roc-t\">ROC</title><desc id=\"roc-d\">A &lt;curve&gt;"));
    }
}
