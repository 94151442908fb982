//! Names of ports and programs as identifiers of C and Rust.

/// Words that neither language takes for a name, and what the firmware itself is called by.
const TAKEN: [&str; 25] = [
    "as", "break", "const", "continue", "do", "else", "enum", "fn", "for", "if", "impl", "in",
    "let", "loop", "match", "mod", "mut", "new", "pub", "ref", "reset", "run", "self", "type",
    "while",
];

/// `name` in lower case, with `_` for what no identifier has, and a letter first.
pub(crate) fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let mut text: String = name.chars().map(plain).collect();
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        text.insert_str(0, "n_");
    }
    if TAKEN.contains(&text.as_str()) {
        text.push('_');
    }
    text
}

/// One identifier for each name, all different.
pub(crate) fn identifiers<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        let wanted = identifier(name);
        let mut unique = wanted.clone();
        let mut number = 2;
        while all.contains(&unique) {
            unique = format!("{wanted}_{number}");
            number += 1;
        }
        all.push(unique);
    }
    all
}

/// Whether Cargo takes it as the name of a crate.
pub(crate) fn is_crate_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_another_identifier() {
        let names = ["x", "X", "3d", "naïve name", "type", "", "x_2"];
        let wanted = ["x", "x_2", "n_3d", "na_ve_name", "type_", "n_", "x_2_2"];
        assert_eq!(identifiers(names.into_iter()), wanted);
    }

    #[test]
    fn crate_names_are_those_of_cargo() {
        assert!(is_crate_name("pump-score_2"));
        assert!(!is_crate_name("") && !is_crate_name("2a") && !is_crate_name("a b"));
    }
}
