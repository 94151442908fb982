//! What MQTT allows as a topic and as a topic filter.

use super::error::{Error, Result};

/// The longest topic in bytes: its length is sent in two bytes.
pub(super) const BYTES_MAX: usize = 65_535;

/// Lets through a topic to publish on (MQTT 5, section 4.7).
pub(super) fn name(topic: String) -> Result<String> {
    match problem(&topic) {
        Some(wanted) => Err(Error::Topic { topic, wanted }),
        None if topic.contains(['+', '#']) => {
            Err(Error::Topic { topic, wanted: "a topic without the wildcards `+` and `#`" })
        }
        None => Ok(topic),
    }
}

/// Lets through a topic filter to subscribe to (MQTT 5, section 4.7).
pub(super) fn filter(topic: String) -> Result<String> {
    if let Some(wanted) = problem(&topic) {
        return Err(Error::Topic { topic, wanted });
    }
    let mut levels = topic.split('/').peekable();
    while let Some(level) = levels.next() {
        let wanted = match level {
            "#" if levels.peek().is_some() => "`#` only as the last level",
            "#" | "+" => continue,
            level if level.contains(['+', '#']) => "`+` and `#` only as whole levels",
            _ => continue,
        };
        return Err(Error::Topic { topic, wanted });
    }
    Ok(topic)
}

fn problem(topic: &str) -> Option<&'static str> {
    match topic {
        "" => Some("at least one character"),
        topic if topic.len() > BYTES_MAX => Some("at most 65535 bytes"),
        topic if topic.contains('\0') => Some("no zero character"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(topic: &str, is_name: bool, is_filter: bool) {
        assert_eq!(name(topic.to_owned()).is_ok(), is_name, "{topic} as a name");
        assert_eq!(filter(topic.to_owned()).is_ok(), is_filter, "{topic} as a filter");
    }

    #[test]
    fn tells_names_and_filters_apart() {
        check("a", true, true);
        check("/a//b ", true, true);
        check("$share/g/a", true, true);
        check("", false, false);
        check("a\0", false, false);
        check("#", false, true);
        check("a/+/b/#", false, true);
        check("a/#/b", false, false);
        check("a+/b", false, false);
        check("a/#b", false, false);
        check(&"x".repeat(BYTES_MAX), true, true);
        check(&"x".repeat(BYTES_MAX + 1), false, false);
    }
}
