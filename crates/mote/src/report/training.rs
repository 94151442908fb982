//! How the model was trained: losses, learning rate, and whether the latent is in use.

use mote_eval::{Posterior, posterior::ACTIVE_VARIANCE};

use super::{
    envelope::envelope,
    html::{Element, el, words},
    number::{count, duration, fixed, number},
    page::{self, facts, figure},
    scale::{Scale, Stretch, extent},
    svg::{Frame, Path, SMALL, label, spread, text_width},
};
use crate::training::health::Sign;

/// What is known of the training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// Training loss as (step, loss), steps rising.
    pub train_loss: Vec<(f64, f64)>,
    /// Loss on held-back data, likewise.
    pub validation_loss: Vec<(f64, f64)>,
    /// The unit of both, such as `nats per value`; may be empty.
    pub loss_unit: String,
    /// How their axis is drawn.
    pub loss_axis: LossAxis,
    /// Learning rate as (step, rate); may be empty.
    pub learning_rate: Vec<(f64, f64)>,
    /// The step whose weights were kept.
    pub best_step: Option<f64>,
    /// Why training ended, in a sentence.
    pub stopped: String,
    /// How long it took, in seconds.
    pub duration_s: Option<f64>,
    /// Numbers that were learned.
    pub parameters: Option<usize>,
    /// Where it ran, such as `CPU, 8 threads`; may be empty.
    pub device: String,
    /// Health of the posterior, for models with a latent.
    pub posterior: Option<Posterior>,
    /// What went wrong.
    pub signs: Vec<Sign>,
}

/// How the axis of the loss is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LossAxis {
    /// Logarithmic if all losses are positive and span more than a factor of 20.
    #[default]
    Auto,
    /// Even.
    Linear,
    /// Logarithmic; even where a loss is not positive.
    Log,
}

/// From this ratio of the largest to the smallest loss on, `Auto` is logarithmic.
const LOG_FROM: f64 = 20.0;
/// The most latent dimensions that get a bar.
const BARS: usize = 48;

pub(super) fn section(training: Option<&Training>) -> Element {
    let section = page::section("training", "Training");
    let Some(training) = training else {
        return section.add(page::none("This report was made without a record of the training."));
    };
    let plots = [losses(training), rate(training), training.posterior.as_ref().and_then(bars)];
    let section = section.add(facts(said(training)));
    let section = match training.train_loss.is_empty() && training.validation_loss.is_empty() {
        true => section.add(page::none("The course of the loss was not kept.")),
        false => section,
    };
    let health = training.posterior.as_ref().map(health);
    let section = match training.signs.is_empty() {
        true => section,
        false => section.add(signs(&training.signs)),
    };
    section.add(el("div").class("pair").all(plots.into_iter().flatten().chain(health)))
}

/// What went wrong, and what helps.
fn signs(signs: &[Sign]) -> Element {
    let one = |sign: &Sign| {
        el("li")
            .add(words("strong", format!("Sign of: {}. ", sign.name)))
            .add(words("span", format!("{} {}", sign.words, sign.repair)))
    };
    el("ul").class("signs").all(signs.iter().map(one))
}

fn health(posterior: &Posterior) -> Element {
    let how = format!(
        "A dimension is in use if its posterior mean varies from sample to sample (variance above \
         {ACTIVE_VARIANCE}). Its KL divergence says how much it tells about a sample; where it is \
         near 0, the decoder does without it."
    );
    el("div")
        .add(words("h3", "Health of the latent").class("first"))
        .add(words("p", posterior.explanation()))
        .add(words("p", how).class("note"))
}

fn said(training: &Training) -> Vec<(String, Element)> {
    let mut said: Vec<(&str, String)> = Vec::new();
    if let Some(n) = training.parameters {
        said.push(("Parameters", count(n)));
    }
    if let Some(seconds) = training.duration_s {
        said.push(("Time", duration(seconds)));
    }
    if !training.device.is_empty() {
        said.push(("On", training.device.clone()));
    }
    if let Some(step) = training.best_step {
        let at = |curve: &[(f64, f64)]| {
            let point = curve.iter().find(|(s, _)| *s == step).map(|(_, loss)| *loss);
            point.map_or(String::new(), |loss| format!(", validation loss {}", number(loss)))
        };
        said.push(("Best step", format!("{}{}", fixed(step, 0), at(&training.validation_loss))));
    }
    if let Some((last, _)) = training.train_loss.last() {
        said.push(("Last step", fixed(*last, 0)));
    }
    if !training.stopped.is_empty() {
        said.push(("Why it ended", training.stopped.clone()));
    }
    said.into_iter().map(|(name, value)| (name.to_string(), words("span", value))).collect()
}

/// Room at the right for the names of the curves.
const WITH_NAMES: Frame = Frame { right: 86.0, ..SMALL };

fn losses(training: &Training) -> Option<Element> {
    let curves = [
        ("training", "train", &training.train_loss),
        ("validation", "held", &training.validation_loss),
    ];
    let points = || curves.iter().flat_map(|(_, _, curve)| curve.iter());
    let steps = extent(points().map(|p| p.0))?;
    let (low, high) = extent(points().map(|p| p.1))?;
    let logarithmic = low > 0.0
        && match training.loss_axis {
            LossAxis::Auto => high / low > LOG_FROM,
            LossAxis::Linear => false,
            LossAxis::Log => true,
        };
    let (stretch, high, cut) = if logarithmic {
        (Stretch::Log, high, 0)
    } else {
        cut_start(low, high, points().map(|p| p.1))
    };
    let x = Scale::new(Stretch::Linear, steps, WITH_NAMES.across());
    let y = Scale::new(stretch, (low, high), WITH_NAMES.upward()).padded(0.05, 0.05);
    let unit = &training.loss_unit;
    let mut name = if unit.is_empty() { "loss".to_string() } else { format!("loss ({unit})") };
    if logarithmic {
        name.push_str(", logarithmic");
    }
    let about = "Training and validation loss by step.";
    let mut plot = WITH_NAMES
        .picture("loss", "Loss", about)
        .add(WITH_NAMES.y_axis(&y.ticks(36.0), &name))
        .add(WITH_NAMES.x_axis(&x.ticks(70.0), "step"));
    if let Some(best) = training.best_step.filter(|s| x.contains(*s)) {
        plot = plot.add(WITH_NAMES.upright(&x, best)).add(best_label(x.at(best)));
    }
    let mut ends = Vec::new();
    for (_, class, curve) in curves {
        plot = plot.add(line(curve, &x, &y).element(class));
        let last = curve.iter().rev().find(|(_, loss)| loss.is_finite());
        ends.push(last.map_or(f64::NAN, |(_, loss)| y.at(*loss) + 4.0));
    }
    let right = WITH_NAMES.width - WITH_NAMES.right + 6.0;
    let mut named: Vec<(usize, f64)> =
        ends.iter().copied().enumerate().filter(|(_, at)| !at.is_nan()).collect();
    let mut places: Vec<f64> = named.iter().map(|(_, at)| *at).collect();
    spread(&mut places, 15.0, WITH_NAMES.top, WITH_NAMES.height - WITH_NAMES.bottom);
    named.iter_mut().zip(places).for_each(|((_, at), place)| *at = place);
    let names = named.iter().map(|&(i, at)| {
        let class = if i == 0 { "train-text" } else { "held-text" };
        label(right, at, "start", curves[i].0).class(class)
    });
    let mut caption =
        "The loss on data that were held back says how the model does on new data; where \
                       it rises while the training loss falls, the model learns by heart."
            .to_string();
    if cut > 0 {
        caption.push_str(&format!(" {} losses at the start lie above the plot.", count(cut)));
    }
    Some(figure(plot.all(names), &caption))
}

/// The first losses can be so high that nothing else is seen: then the axis ends lower.
fn cut_start(low: f64, high: f64, losses: impl Iterator<Item = f64>) -> (Stretch, f64, usize) {
    let mut sorted: Vec<f64> = losses.filter(|l| l.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let most = sorted[sorted.len() * 9 / 10];
    if sorted.len() >= 20 && high - low > 6.0 * (most - low) && most > low {
        let end = low + 2.0 * (most - low);
        return (Stretch::Linear, end, sorted.iter().filter(|l| **l > end).count());
    }
    (Stretch::Linear, high, 0)
}

fn line(curve: &[(f64, f64)], x: &Scale, y: &Scale) -> Path {
    let losses: Vec<f64> = curve.iter().map(|(_, loss)| *loss).collect();
    let kept = envelope(&losses, |i| x.at(curve[i].0) as usize, |_| false);
    let mut path = Path::default();
    for (i, k) in kept.iter().enumerate() {
        let (x, y) = (x.at(curve[k.index].0), y.at(curve[k.index].1));
        if i == 0 || k.pen_up { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    path
}

fn best_label(at: f64) -> Element {
    let text = "best step";
    let room = WITH_NAMES.left + text_width(text) + 10.0;
    if at > room {
        label(at - 5.0, WITH_NAMES.top + 10.0, "end", text).class("halo")
    } else {
        label(at + 5.0, WITH_NAMES.top + 10.0, "start", text).class("halo")
    }
}

fn rate(training: &Training) -> Option<Element> {
    let rates = &training.learning_rate;
    let (low, high) = extent(rates.iter().map(|r| r.1))?;
    let steps = extent(rates.iter().map(|r| r.0))?;
    let x = Scale::new(Stretch::Linear, steps, SMALL.across());
    let bent = low > 0.0 && high / low > LOG_FROM;
    let stretch = if bent { Stretch::Log } else { Stretch::Linear };
    let range = if bent { (low, high) } else { (low.min(0.0), high) };
    let y = Scale::new(stretch, range, SMALL.upward()).padded(0.0, 0.08);
    let plot = SMALL
        .picture("rate", "Learning rate", "The learning rate by step.")
        .add(SMALL.y_axis(&y.ticks(40.0), "learning rate"))
        .add(SMALL.x_axis(&x.ticks(70.0), "step"))
        .add(line(rates, &x, &y).element("train"));
    Some(figure(plot, "How large the steps of the optimizer were."))
}

/// The KL divergence of each latent dimension, the largest first; hollow bars are not in use.
fn bars(posterior: &Posterior) -> Option<Element> {
    let mut order: Vec<usize> = (0..posterior.units.len()).collect();
    order.sort_by(|&a, &b| posterior.units[b].kl.total_cmp(&posterior.units[a].kl));
    let left_out = order.len().saturating_sub(BARS);
    order.truncate(BARS);
    let (_, high) = extent(order.iter().map(|&i| posterior.units[i].kl).chain([0.0]))?;
    let y = Scale::new(Stretch::Linear, (0.0, high), SMALL.upward()).padded(0.0, 0.08);
    let (left, right) = SMALL.across();
    let step = (right - left) / order.len().max(1) as f64;
    let wide = (step * 0.7).min(36.0);
    let (mut used, mut idle) = (Path::default(), Path::default());
    let mut names = Vec::new();
    for (place, &i) in order.iter().enumerate() {
        let unit = &posterior.units[i];
        let middle = left + (place as f64 + 0.5) * step;
        let top = y.at(unit.kl);
        let path = if unit.active { &mut used } else { &mut idle };
        // A bar that would be lower than a line is drawn as one.
        let top = top.min(y.at(0.0) - 1.0);
        path.bar(middle - wide / 2.0, top, wide, y.at(0.0) - top);
        if order.len() <= 16 {
            names.push(label(middle, y.at(0.0) + 18.0, "middle", &i.to_string()));
        }
    }
    let about =
        format!("{} of {} latent dimensions are in use.", posterior.active, posterior.units.len());
    let name =
        if order.len() <= 16 { "latent dimension" } else { "latent dimensions, most used first" };
    let plot = SMALL
        .picture("kl", "KL divergence of each latent dimension", &about)
        .add(SMALL.y_axis(&y.ticks(36.0), "KL divergence (nats)"))
        .add(SMALL.x_axis(&[], name))
        .add(used.element("used"))
        .add(idle.element("idle"))
        .all(names.into_iter().map(|name| el("g").class("axis").add(name)));
    let mut caption = "Filled bars are in use, hollow ones are not.".to_string();
    if left_out > 0 {
        caption.push_str(&format!(" The {} least used are left out.", count(left_out)));
    }
    Some(figure(plot, &caption))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_axis(axis: LossAxis, losses: &[f64], logarithmic: bool) {
        let train_loss = losses.iter().enumerate().map(|(i, &l)| (i as f64, l)).collect();
        let training = Training { train_loss, loss_axis: axis, ..Training::default() };
        let mut page = String::new();
        section(Some(&training)).write(&mut page);
        assert_eq!(page.contains(", logarithmic"), logarithmic, "{losses:?}");
        assert!(!page.contains("NaN"));
    }

    #[test]
    fn the_loss_axis_suits_the_losses() {
        check_axis(LossAxis::Auto, &[100.0, 10.0, 1.0], true);
        check_axis(LossAxis::Auto, &[3.0, 2.0, 1.0], false);
        check_axis(LossAxis::Auto, &[100.0, 1.0, -1.0], false);
        check_axis(LossAxis::Log, &[3.0, 2.0], true);
        check_axis(LossAxis::Log, &[3.0, 0.0], false);
        check_axis(LossAxis::Linear, &[1e6, 1.0], false);
        check_axis(LossAxis::Auto, &[f64::NAN, 1.0], false);
        check_axis(LossAxis::Auto, &[], false);
    }

    #[test]
    fn a_high_start_is_cut_and_told() {
        let mut losses = vec![1000.0, 500.0];
        losses.extend((0..98).map(|i| 1.0 + f64::from(i) / 98.0));
        let (_, high, cut) = cut_start(1.0, 1000.0, losses.into_iter());
        assert!(high < 3.0 && cut == 2, "{high} {cut}");
    }
}
