//! What the scanner must see, and what it must not take for code.

use super::*;

#[track_caller]
fn check_blanked(text: &str, code: &str) {
    assert_eq!(Code::new(text).as_str(), code);
}

#[test]
fn blanks_comments_even_nested_ones() {
    check_blanked("a // b\nc", "a     \nc");
    check_blanked("a /* b /* c */ d */ e", "a                   e");
    check_blanked("a /* b\n c */ d", "a     \n      d");
    check_blanked("a /* never closed", "a                ");
}

#[test]
fn blanks_strings_of_every_kind() {
    check_blanked(r#"a("b\"c")"#, "a(      )");
    check_blanked(r##"a(r#"b"c"#)"##, "a(        )");
    check_blanked(r#"a(b"b", br"\", c"x")"#, "a(    ,      ,     )");
    check_blanked("a(\"ü\")", "a(    )");
    check_blanked("a(\"b\nc\")", "a(  \n  )");
}

#[test]
fn tells_characters_from_lifetimes_and_names() {
    check_blanked("a('x', '\\'', b'\"', '\\u{7f}')", "a(   ,     ,     ,         )");
    check_blanked("fn a<'b>(c: &'b str)", "fn a<'b>(c: &'b str)");
    check_blanked("r#type, bar, b", "r#type, bar, b");
}

#[track_caller]
fn check_functions(text: &str, wanted: &[(&str, RangeInclusive<usize>)]) {
    let found = Code::new(text).functions();
    let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.lines.clone())).collect();
    assert_eq!(found, wanted);
}

#[test]
fn finds_functions_from_fn_to_the_closing_brace() {
    check_functions("fn a() {}", &[("a", 1..=1)]);
    check_functions("pub fn a(\n  x: [u8; 2],\n) -> [u8; 2] {\n  x\n}\n", &[("a", 1..=5)]);
    check_functions("fn a() {\n fn b() {\n }\n}", &[("a", 1..=4), ("b", 2..=3)]);
    check_functions("fn a() {\n let c = '{'; let s = \"}\";\n}", &[("a", 1..=3)]);
}

#[test]
fn does_not_take_types_and_declarations_for_functions() {
    check_functions("trait A { fn a(); fn b() -> [u8; 3]; }", &[]);
    check_functions("type A = fn(i32) -> i32;\nstruct B {\n}\n", &[]);
    check_functions("// fn a() {}", &[]);
}

#[track_caller]
fn check_tests(text: &str, lines: &[RangeInclusive<usize>], modules: &[Module]) {
    let items = Code::new(text).test_items(text);
    assert_eq!(items.iter().map(|i| i.lines.clone()).collect::<Vec<_>>(), lines);
    assert_eq!(items.into_iter().filter_map(|i| i.module).collect::<Vec<_>>(), modules);
}

#[test]
fn finds_what_is_compiled_for_tests_only() {
    check_tests("fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n", &[2..=5], &[]);
    check_tests("#[cfg(all(test, feature = \"x\"))]\nuse a::b;\nuse c;", &[1..=2], &[]);
    check_tests("#[cfg(test)]\n#[allow(dead_code)]\nfn a() {\n}\n", &[1..=4], &[]);
}

#[test]
fn names_the_files_of_test_modules() {
    check_tests("#[cfg(test)]\nmod a;", &[1..=2], &[Module::Named("a".into())]);
    check_tests(
        "#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;\n",
        &[1..=3],
        &[Module::At("b_tests.rs".into())],
    );
}

#[test]
fn other_conditions_are_not_tests() {
    check_tests("#[cfg(not(test))]\nfn a() {}\n#[cfg(feature = \"test\")]\nfn b() {}", &[], &[]);
    check_tests("#[cfg(latest)]\nfn a() {}", &[], &[]);
}

#[test]
fn words_end_where_letters_end() {
    for (line, wanted) in [
        ("unsafe { }", true),
        ("forbid(unsafe_code)", false),
        ("an_unsafe", false),
        ("unsafe", true),
        ("", false),
    ] {
        assert_eq!(has_words(line, "unsafe"), wanted, "{line}");
    }
    assert!(has_words("print!(a)", "print!"));
    assert!(!has_words("eprint!(a)", "print!"));
}
