//! Style and script of the page, and proof that its colours can be told apart.
//!
//! Blue for normal and orange-brown for strange stay different for all common kinds of colour
//! blindness; every pair also differs in shape, dash or place.

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");
/// Hovering and zooming.
pub(super) const SCRIPT: &str = include_str!("script.js");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The custom properties that hold a colour, from a place in the style sheet on.
    fn colours(after: &str) -> BTreeMap<&'static str, [f64; 3]> {
        let from = STYLE.find(after).expect("the theme exists");
        let block = &STYLE[from..];
        let block = &block[..block.find('}').expect("it ends")];
        let mut found = BTreeMap::new();
        for setting in block.split(';') {
            let Some((name, value)) = setting.rsplit_once(": #") else { continue };
            let name = name.rsplit(['{', '\n', ' ']).next().expect("a name");
            let channel = |i: usize| {
                let byte = u8::from_str_radix(&value[2 * i..2 * i + 2], 16).expect("a colour");
                let share = f64::from(byte) / 255.0;
                if share <= 0.03928 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
            };
            found.insert(name, [channel(0), channel(1), channel(2)]);
        }
        found
    }

    fn luminance([r, g, b]: [f64; 3]) -> f64 {
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// Contrast as WCAG 2.2 defines it, 1 to 21.
    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    /// The themes: light, dark, and on paper.
    const THEMES: [&str; 3] = [":root", "scheme: dark", "@media print"];

    #[track_caller]
    fn check(front: &str, back: &str, least: f64) {
        for theme in THEMES {
            let colours = colours(theme);
            let found = contrast(colours[front], colours[back]);
            assert!(found >= least, "{front} on {back} in `{theme}`: {found:.2} < {least}");
        }
    }

    #[test]
    fn text_has_the_contrast_of_wcag_aa() {
        for front in ["--ink", "--quiet", "--link", "--good", "--bad", "--odd", "--calm"] {
            check(front, "--page", 4.5);
        }
        for front in ["--ink", "--quiet", "--good", "--bad"] {
            check(front, "--panel", 4.5);
        }
        check("--ink", "--odd-soft", 4.5);
    }

    #[test]
    fn marks_have_the_contrast_of_wcag_aa() {
        for front in ["--calm", "--odd", "--truth"] {
            for back in ["--page", "--ground", "--odd-soft", "--unjudged"] {
                check(front, back, 3.0);
            }
        }
    }

    #[test]
    fn heat_rises_evenly_in_lightness() {
        for theme in THEMES {
            let colours = colours(theme);
            let lightness = |name: &str| luminance(colours[name]);
            let steps = ["--ground", "--h1", "--h2", "--h3", "--h4", "--h5"].map(lightness);
            let rising = steps.windows(2).all(|s| s[0] < s[1]);
            let falling = steps.windows(2).all(|s| s[0] > s[1]);
            assert!(rising || falling, "{theme}: {steps:?}");
            let apart = |s: &[f64]| (s[0].max(s[1]) + 0.05) / (s[0].min(s[1]) + 0.05) > 1.15;
            assert!(steps.windows(2).all(apart), "{theme}: {steps:?}");
        }
    }

    #[test]
    fn paper_has_the_light_theme() {
        assert_eq!(colours(THEMES[0]), colours(THEMES[2]));
    }

    #[test]
    fn nothing_is_fetched() {
        for text in [STYLE, SCRIPT] {
            for reach in ["http", "//cdn", "url(", "@import", "fetch(", "XMLHttpRequest", "import "]
            {
                assert!(!text.contains(reach), "`{reach}`");
            }
        }
    }
}
