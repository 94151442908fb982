//! `mote advise`: which family for this data and this wish, and why.

use std::{
    io::{BufRead, IsTerminal, Write},
    path::PathBuf,
    time::Instant,
};

use clap::{Args, ValueEnum};
use mote::{
    Error,
    advice::{Advice, Candidate, Need, Seconds, Size, Wish, advise},
    source::{Reading, Source},
};

use super::{
    Style,
    data::{Data, Division},
    say, say_json,
};

#[derive(Args)]
pub(super) struct Advise {
    /// The files that a model would be trained on
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the model is for, several between commas [default: detect]
    #[arg(long = "for", value_name = "NEEDS", value_delimiter = ',')]
    needs: Vec<NeedOf>,
    #[command(flatten)]
    wishes: Wishes,
    /// Ask nothing, also where a person watches
    #[arg(long)]
    no_questions: bool,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    division: Division,
}

/// What is wanted.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "What `mote advise` and --model auto weigh")]
pub(super) struct Wishes {
    /// Do you need the exact probability that a reading occurred? (not a bound, not only samples)
    #[arg(long)]
    exact: bool,
    /// How much memory may weights and activations take, such as 64KB or 2MB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    budget: Option<u64>,
    /// How long an answer may take on this machine, such as 500us, 20ms or 1s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    deadline: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NeedOf {
    /// Say how improbable a sample is
    Detect,
    /// Make windows that never were
    Generate,
    /// Fill holes
    Impute,
    /// Tell the future
    Forecast,
    /// Take out noise
    Denoise,
    /// Place windows in a latent space
    Embed,
}

impl NeedOf {
    fn need(self) -> Need {
        match self {
            Self::Detect => Need::Detect,
            Self::Generate => Need::Generate,
            Self::Impute => Need::Impute,
            Self::Forecast => Need::Forecast,
            Self::Denoise => Need::Denoise,
            Self::Embed => Need::Embed,
        }
    }
}

impl Advise {
    pub(super) fn run(mut self, style: Style) -> Result<(), Error> {
        let mut reading = self.data.reading(None)?;
        self.division.apply(&mut reading);
        let source = reading.learn(&self.files)?;
        self.data.check(&reading, &source)?;
        let watched = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let silent = self.needs.is_empty() && self.wishes.are_silent();
        if watched && !self.no_questions && style == Style::People && silent {
            (self.needs, self.wishes) = questions(&mut std::io::stdin().lock())?;
        }
        let needs = self.needs.iter().map(|n| n.need()).collect();
        let advice = self.wishes.advice(&reading, &source, needs)?;
        match style {
            Style::Json => say_json(&advice)?,
            Style::People => self.explain(&advice)?,
        }
        match advice.chosen() {
            Some(_) => Ok(()),
            None => Err(Error::Budget("no family can do all that was asked".into())),
        }
    }

    fn explain(&self, advice: &Advice) -> Result<(), Error> {
        match advice.chosen() {
            Some(chosen) => {
                let why = if chosen.reasons.is_empty() {
                    "nothing else fits as well".into()
                } else {
                    chosen.reasons.join(", ")
                };
                say(format_args!("Take {}: {why}.\n", chosen.name))?;
            }
            None => say("No family can do all of that. The nearest are first:\n")?,
        }
        say(format_args!("{:16} {:>8} {:>10} {:>9}  ", "family", "bytes", "8 bits", "answer"))?;
        for candidate in &advice.candidates {
            say(row(candidate))?;
        }
        if !advice.notes.is_empty() {
            say("")?;
        }
        advice.notes.iter().try_for_each(say)?;
        let Some(chosen) = advice.chosen() else { return Ok(()) };
        let files: Vec<String> = self.files.iter().map(|f| f.display().to_string()).collect();
        let tasks: Vec<&str> = advice.wish.needs.iter().filter_map(|n| word(*n)).collect();
        let tasks =
            if tasks.is_empty() { String::new() } else { format!(" --for {}", tasks.join(",")) };
        say(format_args!("\n  mote train {} --model {}{tasks}", files.join(" "), chosen.name))
    }
}

fn row(candidate: &Candidate) -> String {
    let Candidate { name, bytes, small_bytes, seconds, against, reasons, .. } = candidate;
    let (bytes, small) = (Size(*bytes).to_string(), Size(*small_bytes).to_string());
    let took = if *seconds > 0.0 { Seconds(*seconds).to_string() } else { "–".into() };
    let words =
        if against.is_empty() { reasons.join(", ") } else { format!("no: {}", against.join(", ")) };
    format!("{name:16} {bytes:>8} {small:>10} {took:>9}  {words}")
}

/// As `mote train --for` calls it.
fn word(need: Need) -> Option<&'static str> {
    match need {
        Need::Generate => Some("generate"),
        Need::Impute => Some("impute"),
        Need::Forecast => Some("forecast"),
        Need::Detect | Need::Denoise | Need::Embed => None,
    }
}

impl Wishes {
    fn are_silent(&self) -> bool {
        !self.exact && self.budget.is_none() && self.deadline.is_none()
    }

    /// Advice for these wishes of a model for `needs`.
    pub(super) fn advice(
        &self,
        reading: &Reading,
        source: &Source,
        needs: Vec<Need>,
    ) -> Result<Advice, Error> {
        let began = Instant::now();
        let wish = Wish { needs, exact: self.exact, bytes: self.budget, deadline_s: self.deadline };
        advise(reading, source, &wish, &mut || began.elapsed().as_nanos() as u64)
    }
}

/// Asks what a person can answer; an empty line takes what stands in brackets.
fn questions(answers: &mut impl BufRead) -> Result<(Vec<NeedOf>, Wishes), Error> {
    let (mut needs, mut wishes) = (Vec::new(), Wishes::default());
    let all = "detect, generate, impute, forecast, denoise, embed";
    ask(answers, &format!("What is the model for? ({all}) [detect]"), &mut |text| {
        let parse = |word: &str| NeedOf::from_str(word.trim(), true);
        needs = text.split(',').map(parse).collect::<Result<_, _>>()?;
        Ok(())
    })?;
    let question = "Do you need the exact probability that a reading occurred? [no]";
    ask(answers, question, &mut |text| {
        wishes.exact = match text.to_ascii_lowercase().as_str() {
            "y" | "yes" => true,
            "n" | "no" => false,
            other => return Err(format!("wanted yes or no, found `{other}`")),
        };
        Ok(())
    })?;
    ask(answers, "How much memory is there, such as 64KB? [any]", &mut |text| {
        wishes.budget = if text == "any" { None } else { Some(bytes(text)?) };
        Ok(())
    })?;
    ask(
        answers,
        "How long may an answer take on this machine, such as 20ms? [any]",
        &mut |text| {
            wishes.deadline = if text == "any" { None } else { Some(duration(text)?) };
            Ok(())
        },
    )?;
    eprintln!();
    Ok((needs, wishes))
}

/// Asks until the answer is understood, or is empty.
fn ask(
    answers: &mut impl BufRead,
    question: &str,
    understand: &mut dyn FnMut(&str) -> Result<(), String>,
) -> Result<(), Error> {
    loop {
        eprint!("{question} ");
        let io = |e| Error::io("read", "standard input", e);
        std::io::stderr().flush().map_err(io)?;
        let mut line = String::new();
        answers.read_line(&mut line).map_err(io)?;
        let line = line.trim();
        match if line.is_empty() { Ok(()) } else { understand(line) } {
            Ok(()) => return Ok(()),
            Err(why) => eprintln!("  {why}"),
        }
    }
}

/// `64KB`, `2MB`, `500`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_ascii_uppercase();
    let plain = upper.strip_suffix('B').unwrap_or(&upper).trim_end();
    let plain = plain.strip_suffix('I').unwrap_or(plain);
    let (number, unit) = match plain.strip_suffix(['K', 'M', 'G']) {
        Some(number) if plain.ends_with('K') => (number, 1u64 << 10),
        Some(number) if plain.ends_with('M') => (number, 1 << 20),
        Some(number) => (number, 1 << 30),
        None => (plain, 1),
    };
    let number = number.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    let wrong = || format!("wanted bytes such as 500, 64KB or 2MB, found `{text}`");
    number.map(|n| (n * unit as f64) as u64).ok_or_else(wrong)
}

/// `500us`, `20ms`, `1s`.
fn duration(text: &str) -> Result<f64, String> {
    let lower = text.trim().to_lowercase();
    let units = [("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number = lower.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
        (number.is_finite() && number > 0.0).then_some(number * seconds)
    });
    parsed.ok_or_else(|| format!("wanted a time such as 500us, 20ms or 1s, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_people_write() {
        assert_eq!(bytes("64KB"), Ok(65_536));
        assert_eq!(bytes("2 mib"), Ok(2 << 20));
        assert_eq!(bytes("500"), Ok(500));
        assert_eq!(duration("20ms"), Ok(0.02));
        assert_eq!(duration("500 us"), Ok(5e-4));
        assert!(bytes("many").is_err() && bytes("-1KB").is_err() && duration("20").is_err());
    }

    #[test]
    fn asks_until_it_understands() {
        let mut answers = &b"detect,dance\ndetect,embed\n\nlots\n64kb\n\n"[..];
        let (needs, wishes) = questions(&mut answers).expect("enough answers");
        assert!(needs == [NeedOf::Detect, NeedOf::Embed]);
        assert_eq!((wishes.exact, wishes.budget, wishes.deadline), (false, Some(65_536), None));
    }
}
