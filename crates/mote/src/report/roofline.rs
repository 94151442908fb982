//! The page of a profile: each operation below the machine's roof, and where the time goes.

use super::{
    document,
    html::{Element, el, words},
    number::{UNKNOWN, count, number, percent},
    page::{self, Column, figure},
    scale::{Scale, Stretch},
    svg::{Frame, Path, label, spread, text_width},
};
use crate::profile::{Operation, Profile};

const FRAME: Frame =
    Frame { width: 760.0, height: 420.0, left: 52.0, right: 150.0, top: 34.0, bottom: 46.0 };
/// Operations that are named in the plot: those that take the most time.
const NAMED: usize = 6;
/// Operations in the table.
const LISTED: usize = 40;

/// Writes the page of some programs of one model; `title` names it.
#[must_use]
pub fn roofline(title: &str, profiles: &[Profile]) -> String {
    let head = el("header").add(words("h1", title)).add(words(
        "p",
        "How fast each program runs on the machine that wrote this page, beside what that machine can do.",
    ));
    let main = el("main").add(head).all(profiles.iter().map(section));
    document(title, el("div").class("alone").add(main))
}

fn section(p: &Profile) -> Element {
    let call = p.call_ns;
    let text = format!(
        "{} a call ({} to {}), batch {}, {}, {}. {} multiply-adds; at the limit of \
         the machine a call would take {}, {} of what it took.",
        time(call.median),
        time(call.min),
        time(call.max),
        p.batch,
        if p.threads == 1 { "one thread".into() } else { format!("{} threads", p.threads) },
        p.level,
        count(p.multiply_adds as usize),
        time(p.limit_ns),
        percent(p.limit_ns / call.median),
    );
    el("section").add(words("h2", &p.program)).add(words("p", text)).add(plot(p)).add(table(p))
}

/// Multiply-adds for each byte, and for each nanosecond.
fn place(o: &Operation) -> Option<(f64, f64)> {
    (o.multiply_adds > 0 && o.touched_bytes > 0 && o.ns > 0.0).then(|| {
        let n = o.multiply_adds as f64;
        (n / o.touched_bytes as f64, n / o.ns)
    })
}

fn plot(p: &Profile) -> Element {
    let dots: Vec<(f64, f64, &Operation)> =
        p.operations.iter().filter_map(|o| place(o).map(|(x, y)| (x, y, o))).collect();
    if dots.is_empty() {
        return page::none(
            "No operation of this program has weights, so there is no roof to stand below.",
        );
    }
    let m = p.machine;
    let integers = dots.iter().any(|(_, _, o)| o.name.starts_with("quantized"));
    let peak = if integers { m.bytes_per_ns } else { m.real_per_ns };
    let bend = |f: fn(f64, f64) -> f64, pick: fn(&(f64, f64, &Operation)) -> f64, start: f64| {
        dots.iter().map(pick).fold(start, f)
    };
    let ridge = peak / m.read_bytes_per_ns;
    let x_range = (bend(f64::min, |d| d.0, ridge) / 2.0, bend(f64::max, |d| d.0, ridge) * 3.0);
    let y_range = (bend(f64::min, |d| d.1, peak) / 2.0, peak * 1.5);
    let x = Scale::new(Stretch::Log, x_range, FRAME.across());
    let y = Scale::new(Stretch::Log, y_range, FRAME.upward());
    let mut roof = Path::default();
    let left = x_range.0.max(y_range.0 / m.read_bytes_per_ns);
    roof.through(
        [(left, left * m.read_bytes_per_ns), (ridge, peak), (x_range.1, peak)]
            .map(|(a, b)| (x.at(a), y.at(b))),
    );
    let title = format!("Operations of {} below the roof", p.program);
    let about = "Multiply-adds a nanosecond over multiply-adds for each byte, both logarithmic; the \
                 dashed line is the limit of the machine.";
    let mut marks = Path::default();
    dots.iter().for_each(|(a, b, _)| marks.dot(x.at(*a), y.at(*b)));
    let mut picture = FRAME
        .picture(&format!("roof-{}", p.program), &title, about)
        .add(FRAME.y_axis(&y.ticks(34.0), "multiply-adds a nanosecond"))
        .add(FRAME.x_axis(&x.ticks(70.0), "multiply-adds for each byte"))
        .add(roof.element("threshold"))
        .add(marks.element("normal"));
    for name in names(&dots, &x, &y) {
        picture = picture.add(name);
    }
    let caption = format!(
        "Left of the bend the {} bytes a nanosecond that this machine reads set the limit, right of it \
         its {} multiply-adds a nanosecond. Named are the operations that take the most time.",
        number(m.read_bytes_per_ns.round()),
        number(peak.round()),
    );
    figure(picture, &caption)
}

/// The slowest operations by number and name, at the right of their dots.
fn names(dots: &[(f64, f64, &Operation)], x: &Scale, y: &Scale) -> Vec<Element> {
    let mut slow: Vec<&(f64, f64, &Operation)> = dots.iter().collect();
    slow.sort_by(|a, b| b.2.ns.total_cmp(&a.2.ns));
    slow.truncate(NAMED);
    let (low, high) = FRAME.upward();
    let mut heights: Vec<f64> = slow.iter().map(|d| y.at(d.1)).collect();
    spread(&mut heights, 15.0, high, low);
    slow.iter()
        .zip(heights)
        .map(|(d, height)| {
            let text = format!("{} {}", d.2.index, d.2.name.replace("quantized_", ""));
            let right = (x.at(d.0) + 8.0).min(FRAME.width - text_width(&text));
            label(right, height + 4.0, "start", &text).class("halo")
        })
        .collect()
}

fn table(p: &Profile) -> Element {
    let columns = [
        Column::text("Operation"),
        Column::text("Result"),
        Column::number("Multiply-adds"),
        Column::number("Bytes"),
        Column::number("Time"),
        Column::number("Share"),
        Column::number("Of limit"),
    ];
    let together: f64 = p.operations.iter().map(|o| o.ns).sum::<f64>().max(1.0);
    let mut slow: Vec<&Operation> = p.operations.iter().collect();
    slow.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    let rows = slow.iter().take(LISTED).map(|o| {
        let of_limit = if o.ns < 20.0 { UNKNOWN.into() } else { percent(o.limit_ns / o.ns) };
        [
            format!("{} {}", o.index, o.name),
            format!("{:?}", o.shape),
            count(o.multiply_adds as usize),
            count(o.touched_bytes),
            time(o.ns),
            percent(o.ns / together),
            of_limit,
        ]
        .map(|text| words("span", text))
        .to_vec()
    });
    page::table(&format!("The slowest operations of {}", p.program), &columns, rows)
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0}\u{a0}ns"),
        ns if ns < 1e6 => format!("{:.2}\u{a0}µs", ns / 1e3),
        ns => format!("{:.2}\u{a0}ms", ns / 1e6),
    }
}
