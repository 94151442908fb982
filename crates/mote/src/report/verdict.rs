//! "Do anomalies lie in low-density regions?", answered in words from numbers.
//!
//! The answer must not be kinder than the data. A small p-value alone is no "yes": with thousands
//! of samples it comes with effects that nobody could use. A large one alone is no "no": few events
//! cannot show much. So "no" asks for an interval that leaves no room for a useful effect.

use mote_eval::rank::{AurocInterval, MannWhitney, ShiftTest};

use super::number::{SPACE, count, fixed, probability};

/// The chance of a false "yes" that is accepted; the custom of the field.
const SIGNIFICANT: f64 = 0.05;
/// From this AUROC on an effect is called clear (Hosmer and Lemeshow call 0.8 excellent).
const CLEAR: f64 = 0.8;
/// Below it an effect is called weak; 0.64 is what Cohen's medium effect, d = 0.5, comes to.
const WEAK: f64 = 0.64;
/// Up to this AUROC there is no effect worth having: Cohen's small effect, d = 0.2.
const NEGLIGIBLE: f64 = 0.56;
/// Fewer events than this are few.
const FEW_EVENTS: usize = 5;

/// How densely anomalies lie in one space, against normal samples. In all numbers here the score is
/// the negative log-density, and the alternative is that anomalies score higher.
#[derive(Clone, Debug, PartialEq)]
pub struct SpaceTest {
    /// Whose density it was, as half a sentence: `Gaussian kernels around 4,000 normal latent
    /// means`.
    pub density: String,
    /// The chance that an anomalous sample lies less densely than a normal one; 0.5 is chance.
    pub auroc: f64,
    /// Its interval, from resampling whole events.
    pub interval: Option<AurocInterval>,
    /// The test that takes samples as independent.
    pub rank: Option<MannWhitney>,
    /// The test that keeps their order in time.
    pub shift: Option<ShiftTest>,
}

/// What the numbers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Anomalies lie less densely, and not by chance.
    Yes,
    /// They do not, or not so that it could be of use.
    No,
    /// The data cannot tell.
    NotShown,
}

/// An answer with its sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// It in words, with the numbers that it rests on.
    pub sentence: String,
}

/// Answers for one space; `space` goes into the sentence: `latent space`.
///
/// "Yes" takes a test below p = 0.05 and an interval above 0.5; the test that keeps the order in
/// time counts, the other only if that is all there is. "No" takes an interval that ends below
/// 0.56, or, without interval, an AUROC that does so under the better test.
pub fn verdict(test: &SpaceTest, space: &str) -> Verdict {
    let answer = answer(test);
    let sentence = match answer {
        Answer::Yes => yes(test, space),
        Answer::No => no(test, space),
        Answer::NotShown => not_shown(test, space),
    };
    Verdict { answer, sentence: format!("{sentence}{}", caveat(test)) }
}

/// The p-value that counts.
fn chance(test: &SpaceTest) -> Option<f64> {
    test.shift.map(|s| s.p).or(test.rank.map(|r| r.p)).filter(|p| p.is_finite())
}

fn answer(test: &SpaceTest) -> Answer {
    let above = test.interval.is_none_or(|i| i.low > 0.5);
    let significant = chance(test).is_some_and(|p| p < SIGNIFICANT);
    let useless = match test.interval {
        Some(i) => i.high < NEGLIGIBLE,
        None => test.auroc < 0.5 && chance(test).is_some(),
    };
    if test.auroc > 0.5 && significant && above {
        // Shown beyond doubt to be next to nothing is a "no" to everyone who would build on it.
        if useless { Answer::No } else { Answer::Yes }
    } else if useless {
        Answer::No
    } else {
        Answer::NotShown
    }
}

fn yes(test: &SpaceTest, space: &str) -> String {
    let strength = match test.auroc {
        a if a >= CLEAR => "Anomalies clearly lie where normal data are rare",
        a if a >= WEAK => "Anomalies tend to lie where normal data are rare",
        _ => "Anomalies lie where normal data are rarer, but only slightly",
    };
    format!("Yes: {}, in {space}. {}.", lower(strength), numbers(test))
}

fn no(test: &SpaceTest, space: &str) -> String {
    let what = match test.interval {
        Some(i) if i.high < 0.5 => "anomalies lie where normal data are denser, not rarer",
        None if test.auroc < 0.5 => "anomalies do not lie where normal data are rare",
        _ => "anomalies lie about as densely as normal samples do",
    };
    format!("No: {what}, in {space}. {}.", numbers(test))
}

fn not_shown(test: &SpaceTest, space: &str) -> String {
    let why = match (chance(test), test.interval) {
        (None, _) => "there was no test".to_string(),
        (Some(p), _) if p >= SIGNIFICANT => {
            format!("chance explains it well enough ({})", probability(p))
        }
        (_, Some(i)) if i.low <= 0.5 => {
            let (low, high) = (fixed(i.low, 2), fixed(i.high, 2));
            format!("the interval, {low} to {high}, still holds 0.5, which is chance")
        }
        _ => "the numbers disagree".to_string(),
    };
    format!("Not shown: in {space}, {why}. {}.", numbers(test))
}

/// The effect in words.
fn numbers(test: &SpaceTest) -> String {
    let share = fixed(test.auroc * 100.0, 0);
    let interval = test.interval.map_or(String::new(), |i| {
        let cover = fixed(i.confidence * 100.0, 0);
        format!(
            " ({cover}{SPACE}% interval {} to {})",
            fixed(i.low * 100.0, 0),
            fixed(i.high * 100.0, 0)
        )
    });
    format!(
        "Of 100 pairs of an anomalous and a normal sample, the anomalous one lies less densely in \
         {share}{interval}; 50 would be chance"
    )
}

/// What else must be known to read the answer.
fn caveat(test: &SpaceTest) -> String {
    let mut said = String::new();
    if test.shift.is_none() && test.rank.is_some() {
        said.push_str(
            " The test took neighbouring samples as independent, which they are not: read the \
             p-value as too small.",
        );
    }
    if let Some(few) = test.interval.map(|i| i.events).filter(|&n| n < FEW_EVENTS) {
        said.push_str(&format!(" It rests on only {} labelled anomalies.", count(few)));
    }
    said
}

fn lower(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(
        auroc: f64,
        interval: Option<(f64, f64)>,
        shift: Option<f64>,
        rank: Option<f64>,
    ) -> SpaceTest {
        SpaceTest {
            density: "kernels".into(),
            auroc,
            interval: interval.map(|(low, high)| AurocInterval {
                auroc,
                low,
                high,
                confidence: 0.95,
                events: 12,
                normal_blocks: 40,
            }),
            rank: rank.map(|p| MannWhitney { u: 0.0, z: 0.0, p, auroc }),
            shift: shift.map(|p| ShiftTest { auroc, p, resamples: 999 }),
        }
    }

    #[track_caller]
    fn check(test: &SpaceTest, answer: Answer, begins: &str, holds: &str) {
        let found = verdict(test, "latent space");
        let sentence = found.sentence.replace(SPACE, " ");
        assert_eq!(found.answer, answer, "{sentence}");
        assert!(sentence.starts_with(begins), "{sentence}");
        assert!(sentence.contains(holds), "{sentence} lacks `{holds}`");
    }

    #[test]
    fn yes_takes_both_a_test_and_an_interval() {
        let clear = test(0.91, Some((0.84, 0.96)), Some(0.001), Some(1e-9));
        check(&clear, Answer::Yes, "Yes: anomalies clearly", "91 (95 % interval 84 to 96)");
        let some = test(0.7, Some((0.61, 0.8)), Some(0.01), None);
        check(&some, Answer::Yes, "Yes: anomalies tend", "in latent space");
        let weak = test(0.6, Some((0.52, 0.7)), Some(0.03), None);
        check(&weak, Answer::Yes, "Yes: anomalies lie", "only slightly");
    }

    #[test]
    fn the_test_that_keeps_time_overrules_the_other() {
        let fooled = test(0.7, Some((0.52, 0.9)), Some(0.21), Some(1e-12));
        check(&fooled, Answer::NotShown, "Not shown", "p = 0.21");
        let alone = test(0.7, None, None, Some(1e-12));
        check(&alone, Answer::Yes, "Yes", "read the p-value as too small");
    }

    #[test]
    fn an_interval_that_holds_chance_is_no_yes() {
        let wide = test(0.7, Some((0.45, 0.9)), Some(0.04), None);
        check(&wide, Answer::NotShown, "Not shown", "0.45 to 0.90, still holds 0.5");
    }

    #[test]
    fn no_takes_an_interval_without_a_useful_effect() {
        let denser = test(0.3, Some((0.2, 0.4)), Some(0.99), None);
        check(&denser, Answer::No, "No: anomalies lie where normal data are denser", "30 (95");
        let same = test(0.5, Some((0.46, 0.54)), Some(0.5), None);
        check(&same, Answer::No, "No: anomalies lie about as densely", "50 would be chance");
        let tiny = test(0.53, Some((0.51, 0.55)), Some(0.001), None);
        check(&tiny, Answer::No, "No: anomalies lie about as densely", "53");
        let plain = test(0.4, None, Some(0.9), None);
        check(&plain, Answer::No, "No: anomalies do not lie", "40");
    }

    #[test]
    fn too_little_shows_nothing() {
        check(&test(0.9, None, None, None), Answer::NotShown, "Not shown", "there was no test");
        check(&test(0.9, None, Some(f64::NAN), None), Answer::NotShown, "Not shown", "no test");
        let wide = test(0.45, Some((0.2, 0.8)), Some(0.6), None);
        check(&wide, Answer::NotShown, "Not shown", "p = 0.60");
        let mut few = test(0.9, Some((0.8, 0.95)), Some(0.01), None);
        few.interval.as_mut().expect("set above").events = 3;
        check(&few, Answer::Yes, "Yes", "only 3 labelled anomalies");
    }
}
