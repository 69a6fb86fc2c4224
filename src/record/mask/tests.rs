//! Tests of masking against a simple model, in every split and every form, and the published cases
//! of two other maskers.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::collection::vec;
use proptest::prelude::*;

use super::forms::is_whitespace;
use super::masker::MAX_RUN_BYTES;
use super::*;

/// Returns a masker for needles of any length, each with the name of its variable.
fn masker_of(needles: &[(&str, &str)]) -> Masker {
    let forms = needles.iter().map(|(name, text)| (*name, vec![normalized(text.as_bytes())]));
    Masker::new(Arc::new(Needles::new(forms).unwrap()))
}

/// Masks a text that arrives in these pieces.
fn masked(masker: &mut Masker, pieces: &[&[u8]]) -> String {
    let mut out = Vec::new();
    for piece in pieces {
        masker.push(piece, |bytes| out.extend_from_slice(bytes));
    }
    masker.finish(|bytes| out.extend_from_slice(bytes));
    String::from_utf8_lossy(&out).into_owned()
}

/// Masks a text as a whole, byte by byte, and split in two at every position. Returns the result,
/// which must be the same.
fn masked_in_all_splits(masker: &mut Masker, text: &str) -> String {
    let bytes = text.as_bytes();
    let whole = masked(masker, &[bytes]);
    assert_eq!(masked(masker, &bytes.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(masked(masker, &[first, second]), whole, "{first:?} and {second:?}");
    }
    whole
}

fn find(
    given: &[&str],
    use_defaults: bool,
    environment: &[(&str, &str)],
) -> (Secrets, Vec<String>) {
    let given: Vec<String> = given.iter().map(ToString::to_string).collect();
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    Secrets::find(&given, use_defaults, environment)
}

/// Returns the secret `[V]` with this value.
fn secret(value: &str) -> Secrets {
    find(&["V"], false, &[("V", value)]).0
}

#[test]
fn variables_are_found_by_name_and_by_the_usual_ends_of_names() {
    let ends =
        ["PASSWORD", "SECRET", "TOKEN", "PRIVATE_KEY", "SSH_KEY", "ACCESS_KEY", "SECRET_KEY"];
    for end in ends.into_iter().chain(["CONNECTION_STRING", "API_KEY"]) {
        let name = format!("MY_{end}");
        let environment = [(name.as_str(), "hunter2")];
        assert_eq!(find(&[], true, &environment).0.mask_text("hunter2"), format!("[{name}]"));
        assert!(find(&[], false, &environment).0.is_empty());
    }
    for name in ["TOKEN", "my_token", "MY_TOKENS", "MY_KEY", "HOME"] {
        let (secrets, warnings) = find(&[], true, &[(name, "hunter2")]);
        assert!(secrets.is_empty() && secrets.masker().is_none() && warnings.is_empty(), "{name}");
        assert_eq!(
            find(&[name], true, &[(name, "hunter2")]).0.mask_text("hunter2"),
            format!("[{name}]")
        );
    }
    let environment = [("B_TOKEN", "same value"), ("A_TOKEN", "same value"), ("C", "same value")];
    assert_eq!(find(&["C"], true, &environment).0.mask_text("same value"), "[C]");
    assert_eq!(find(&[], true, &environment).0.mask_text("same value"), "[A_TOKEN]");
}

#[test]
fn a_variable_that_is_not_masked_causes_a_warning() {
    let environment = [
        ("A_TOKEN", "short"),
        ("B_TOKEN", ""),
        ("C_TOKEN", " \n "),
        ("D_TOKEN", " \tfive5\n"),
        ("E_TOKEN", "a \t\n b"),
    ];
    let (secrets, warnings) = find(&["UNSET", "UNSET", "A_TOKEN"], true, &environment);
    assert!(secrets.is_empty());
    assert_eq!(
        warnings,
        [
            "UNSET cannot be masked: it is not set",
            "the value of A_TOKEN is not masked: it has less than 6 bytes",
            "the value of D_TOKEN is not masked: it has less than 6 bytes",
            "the value of E_TOKEN is not masked: it has less than 6 bytes",
        ]
    );
    assert_eq!(secrets.mask_text("short five5"), "short five5");
}

#[test]
fn debug_output_contains_names_but_no_values() {
    assert_eq!(format!("{:?}", secret("hunter2")), r#"["[V]"]"#);
}

#[test]
fn whitespace_around_a_value_and_its_lines_is_no_part_of_it() {
    let secrets = secret(" \t first line\r\n\n  second line \n");
    assert_eq!(secrets.mask_text("<\tfirst line >"), "<\t[V] >");
    assert_eq!(secrets.mask_text("\n\tsecond line\nline"), "\n\t[V]\nline");
    assert_eq!(secrets.mask_text("> first line second line <"), "> [V] <");
}

#[test]
fn lines_are_masked_alone_unless_they_are_short() {
    let secrets = secret("{\n  first line\n  short\n  second line\n}");
    let text = secrets.mask_text("short second line, first line short second lines {");
    assert_eq!(text, "short [V], [V] short [V]s {");
    assert_eq!(secrets.mask_text("- { first line short second line } -"), "- [V] -");
    // Line by line, as a tool with a prefix prints it.
    let prefixed = secrets.mask_text("| {\n|   first line\n|   short\n|   second line\n| }\n");
    assert_eq!(prefixed, "| {\n|   [V]\n|   short\n|   [V]\n| }\n");
}

#[test]
fn a_run_of_whitespace_is_matched_up_to_a_limit() {
    let mut masker = secret("user name").masker().unwrap();
    for (run, expected) in [(MAX_RUN_BYTES, true), (MAX_RUN_BYTES + 1, false)] {
        let text = format!("a user{}name b", " ".repeat(run));
        let whole = masked_in_all_splits(&mut masker, &text);
        assert_eq!(whole, if expected { "a [V] b".to_owned() } else { text });
    }
}

#[test]
fn a_text_that_cannot_be_a_secret_is_not_held() {
    let mut masker = secret("hunter2 of the house").masker().unwrap();
    for (piece, passed) in [
        ("Password: ", "Password: "),
        ("hunt", ""),
        ("!", "hunt!"),
        (" hunter2 \n", " "),
        ("is", "hunter2 \nis"),
    ] {
        let mut out = Vec::new();
        masker.push(piece.as_bytes(), |bytes| out.extend_from_slice(bytes));
        assert_eq!(String::from_utf8(out).unwrap(), passed, "{piece:?}");
    }
}

#[test]
fn a_merged_region_has_the_name_of_the_secret_that_begins_first() {
    let mut masker = masker_of(&[("LATE", "bbcc"), ("SHORT", "aa"), ("LONG", "aabb"), ("IN", "b")]);
    assert_eq!(
        masked_in_all_splits(&mut masker, "-aabbcc-aab-bbcc-b"),
        "-[LONG]-[SHORT][IN]-[LATE]-[IN]"
    );
}

/// A secret that repeats itself without an end is replaced once, and is not collected in memory.
#[test]
fn an_endless_overlap_is_held_only_as_far_as_the_value() {
    let mut masker = secret("abababab").masker().unwrap();
    let mut out = Vec::new();
    for _ in 0..10_000 {
        masker.push(b"ab", |bytes| out.extend_from_slice(bytes));
        assert!(masker.held_bytes() < 8);
    }
    masker.push(b"-", |bytes| out.extend_from_slice(bytes));
    assert_eq!(out, b"[V]-");
}

/// The cases of `internal/replacer/replacer_test.go` and `internal/redact/redact_test.go` of
/// Buildkite's agent (MIT license), written one by one and split at every position.
#[test]
fn the_cases_of_buildkite_pass() {
    const LIPSUM: &str = "Lorem ipsum dolor sit amet";
    let lipsum: [(&[&str], &str); 11] = [
        (&["ipsum"], "Lorem [X] dolor sit amet"),
        (&["ipsum", "amet"], "Lorem [X] dolor sit [X]"),
        (&["ipsum dolor", "dolor"], "Lorem [X] sit amet"),
        (&["ipsum", "ipsum dolor"], "Lorem [X] sit amet"),
        (&["ipsum dolor", "dolor sit"], "Lorem [X] amet"),
        (&["ipsum dolor", "dolor sEt", "sit amet"], "Lorem [X] [X]"),
        (&["Lorem ipsum dolor sEt", "ipsum", "dolor"], "Lorem [X] [X] sit amet"),
        (
            &["a", "e", "i", "o", "u", "Lorem ipsum dolor sit am3t"],
            "L[X]r[X]m [X]ps[X]m d[X]l[X]r s[X]t [X]m[X]t",
        ),
        // Needles without spaces around them: ours are always trimmed.
        (&["do", "dol", "m dolo", "um dolor", "sum dolor s", "psum dolor s"], "Lorem i[X]it amet"),
        (&["ipsum dolor", "um do"], "Lorem [X] sit amet"),
        (&["ipsum dolor", "sum", "do", "dolor"], "Lorem [X] sit amet"),
    ];
    let others: [(&str, &[&str], &str); 4] = [
        ("fooÿbar", &["ÿ"], "foo[X]bar"),
        ("secret 1 secret 2 secret 3 s", &["secret 2"], "secret 1 [X] secret 3 s"),
        ("secret 1 secret 2 secret 3 s", &["secret 1", "secret 2", "secret 3"], "[X] [X] [X] s"),
        ("secret1111 and secret2222", &["secret2222", "secret1111"], "[X] and [X]"),
    ];
    let lipsum = lipsum.into_iter().map(|(needles, expected)| (LIPSUM, needles, expected));
    for (text, needles, expected) in lipsum.chain(others) {
        let named: Vec<_> = needles.iter().map(|needle| ("X", *needle)).collect();
        assert_eq!(masked_in_all_splits(&mut masker_of(&named), text), expected, "{needles:?}");
    }
    let in_two_forms = secret("secret\n1");
    assert_eq!(in_two_forms.mask_text("secret\n1 secret\\n1 s"), "[V] [V] s");
}

#[test]
fn the_multi_line_cases_of_buildkite_pass() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nasdf\n-----END OPENSSH PRIVATE KEY-----\n";
    let mut masker = secret(key).masker().unwrap();
    let lines = |end: &str| format!("lalalala{end}{}lalalala{end}", key.replace('\n', end));
    for end in ["\n", "\r\n", "\r\r\n", " "] {
        let expected = format!("lalalala{end}[V]{end}lalalala{end}");
        assert_eq!(masked_in_all_splits(&mut masker, &lines(end)), expected, "{end:?}");
    }
    let mixed = "lalalala\n\n\r\n-----BEGIN OPENSSH PRIVATE KEY-----\n\n \n\u{b}asdf\n\t\t\n  \n\
                 -----END OPENSSH PRIVATE KEY-----\n\n\nlalalala";
    let expected = "lalalala\n\n\r\n[V]\n\n\nlalalala";
    assert_eq!(masked_in_all_splits(&mut masker, mixed), expected);
}

/// The cases of `masker_test.go` of gitlab-runner (MIT license), and three that its masker leaks
/// because a secret overlaps with itself.
#[test]
fn the_cases_of_gitlab_pass() {
    let long = "_".repeat(2000);
    let cases: [(&str, &[&str], &str); 18] = [
        ("secrets", &["secrets"], "[X]"),
        ("secretssecrets", &["secrets"], "[X][X]"),
        ("ssecrets", &["secrets"], "s[X]"),
        ("at the start of the buffer", &["at"], "[X] the start of the buffer"),
        ("in the middle of the buffer", &["middle"], "in the [X] of the buffer"),
        ("at the end of the buffer", &["buffer"], "at the end of the [X]"),
        ("all values are masked", &["all", "values", "are", "masked"], "[X] [X] [X] [X]"),
        (
            "prefixed, suffixed and split: xfoox ybary ffoo barr ffooo bbarr",
            &["foo", "bar"],
            "prefixed, suffixed and split: x[X]x y[X]y f[X] [X]r f[X]o b[X]r",
        ),
        ("prefix_mask mask prefix_mask", &["mask", "prefix_mask"], "[X] [X] [X]"),
        (&long, &[&long], "[X]"),
        ("this is the en foobar", &["this is the end", "en foobar", "en"], "this is the [X]"),
        ("no escaping at all", &["secrets"], "no escaping at all"),
        ("aaab", &["aab"], "a[X]"),
        ("abcabcabd", &["abcabd"], "abc[X]"),
        ("ababac ababab", &["ababac", "abab"], "[X] [X]"),
        ("aabaab aabaabaab", &["aabaab"], "[X] [X]"),
        ("xyxyxyz", &["xyxyz"], "xy[X]"),
        ("mississippi", &["issip", "ssiss"], "mi[X]pi"),
    ];
    for (text, needles, expected) in cases {
        let named: Vec<_> = needles.iter().map(|needle| ("X", *needle)).collect();
        assert_eq!(masked_in_all_splits(&mut masker_of(&named), text), expected, "{needles:?}");
    }
}

#[test]
fn a_quoted_value_is_masked() {
    let cases: [(&str, &[&str]); 9] = [
        // Bash: set -x, printf %q, and ${V@Q} print these.
        ("it's 2 late", &[r"it'\''s 2 late", r"it\'s\ 2\ late", "it's 2 late"]),
        ("pa$$w\"rd`x\\", &[r#"pa\$\$w\"rd\`x\\"#, r#"pa$$w\"rd`x\\"#, r#"pa$$w"rd`x\\"#]),
        ("a~b#c,d^e{f}g!h[i]j?k*l=m", &[r"a~b#c\,d\^e\{f\}g\!h\[i\]j\?k\*l=m"]),
        ("tab\tnl\nq'\\\u{1b}\u{1}\u{7f}\"é", &[r#"tab\tnl\nq\'\\\E\001\177"é"#]),
        // Python's shlex.quote.
        ("don't panic", &[r#"don'"'"'t panic"#]),
        // JSON of serde, Go, Python and PHP.
        (
            "</a>&\"é\u{1}\t😀",
            &[
                "</a>&\\\"é\\u0001\\t😀",
                "\\u003c/a\\u003e\\u0026\\\"é\\u0001\\t😀",
                "</a>&\\\"\\u00e9\\u0001\\t\\ud83d\\ude00",
                "<\\/a>&\\\"é\\u0001\\t😀",
                "<\\/a>&\\\"\\u00e9\\u0001\\t\\ud83d\\ude00",
            ],
        ),
        // URLs: of curl, Java and browsers.
        (
            "a b/c+d(é)~*'",
            &[
                "a%20b%2Fc%2Bd%28%C3%A9%29~%2A%27",
                "a%20b%2fc%2bd%28%c3%a9%29~%2a%27",
                "a+b%2Fc%2Bd%28%C3%A9%29%7E*%27",
                "a%20b%2Fc%2Bd(%C3%A9)~*'",
                "a%20b/c%2Bd%28%C3%A9%29~%2A%27",
            ],
        ),
        ("key = line\nnext line", &[r"key = line\nnext line", "key%20%3D%20line%0Anext%20line"]),
        ("plain8chars", &["plain8chars"]),
    ];
    for (value, forms) in cases {
        let mut masker = secret(value).masker().unwrap();
        for form in forms {
            let text = format!("<-'{form}'->");
            assert_eq!(masked_in_all_splits(&mut masker, &text), "<-'[V]'->", "{form}");
        }
    }
}

#[test]
fn base64_is_masked_at_each_offset_with_and_without_padding() {
    for value in ["hunter2", "hunter22", "hunter222", "key?>~~"] {
        let mut masker = secret(value).masker().unwrap();
        // The prefix of n bytes leaves n / 3 * 4 digits, and those that it shares with the value.
        for (prefix, visible) in [("", 0), ("u", 2), ("u:", 3), ("us:", 4), ("use:", 6)] {
            for text in [
                BASE64_STANDARD.encode(format!("{prefix}{value}")),
                BASE64_URL_SAFE_NO_PAD.encode(format!("{prefix}{value}")),
            ] {
                let expected = format!("{}[V]", &text[..visible]);
                assert_eq!(masked_in_all_splits(&mut masker, &text), expected, "{text}");
                let inside = BASE64_STANDARD.encode(format!("{prefix}{value}@host.example"));
                let out = masked_in_all_splits(&mut masker, &inside);
                let rest = out.strip_prefix(&expected).unwrap();
                assert!(inside.ends_with(rest) && rest.len() <= inside.len() - text.len() + 3);
            }
        }
    }
}

#[test]
fn base64_that_is_broken_into_lines_is_masked() {
    let value: String = (0..150_u8).map(|n| char::from(b'!' + n % 90)).collect();
    let mut masker = secret(&value).masker().unwrap();
    let digits = BASE64_STANDARD.encode(format!("{value}\n"));
    for columns in [64, 76] {
        let lines: Vec<&str> =
            digits.as_bytes().chunks(columns).map(|line| str::from_utf8(line).unwrap()).collect();
        let text = format!("{}\n", lines.join("\n"));
        let whole = masked_in_all_splits(&mut masker, &text);
        // The last quantum is shared with the newline.
        assert!(whole.starts_with("[V]") && whole.len() <= "[V]".len() + 5, "{whole}");
        assert_eq!(masked_in_all_splits(&mut masker, lines[1]), "[V]");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_masked() {
    let value = std::os::unix::ffi::OsStringExt::from_vec(b"\xff\xfe key \xe9".to_vec());
    let (secrets, _) = Secrets::find(&["V".into()], false, [("V".into(), value)]);
    let mut masker = secrets.masker().unwrap();
    assert_eq!(masked(&mut masker, &[b"<\xff", b"\xfe key \xe9>"]), "<[V]>");
    assert_eq!(masked(&mut masker, &[b"<%FF%FE%20key%20%E9>"]), "<[V]>");
}

/// The expected result, from the definitions: finds each needle at each position of the normalized
/// text, and merges what overlaps.
fn model(text: &[u8], needles: &[(&str, &str)]) -> Vec<u8> {
    let mut symbols: Vec<(u8, usize, usize)> = Vec::new();
    for run in text.chunk_by(|a, b| is_whitespace(*a) && is_whitespace(*b)) {
        let from = symbols.last().map_or(0, |last| last.2);
        let symbol = match run {
            [byte] if !is_whitespace(*byte) => *byte,
            _ if run.len() > MAX_RUN_BYTES => b'\n',
            _ => b' ',
        };
        symbols.push((symbol, from, from + run.len()));
    }
    let mut found = BTreeSet::new();
    for (owner, (_, needle)) in needles.iter().enumerate() {
        let needle = normalized(needle.as_bytes());
        for part in symbols.windows(needle.len()) {
            if part.iter().map(|symbol| symbol.0).eq(needle.iter().copied()) {
                let (start, end) = (part[0].1, part[part.len() - 1].2);
                found.insert((start, std::cmp::Reverse(end), owner));
            }
        }
    }
    let (mut out, mut until, mut is_open) = (Vec::new(), 0, false);
    for (start, std::cmp::Reverse(end), owner) in found {
        if !is_open || start >= until {
            out.extend_from_slice(&text[until..start]);
            out.extend_from_slice(format!("[{}]", needles[owner].0).as_bytes());
            is_open = true;
        }
        until = until.max(end);
    }
    out.extend_from_slice(&text[until..]);
    out
}

const NAMES: [&str; 4] = ["A", "B", "C", "D"];

/// Texts and needles of few different bytes, so that they match and overlap often.
fn needles_and_text(
    needle: &'static str,
    text: &'static str,
) -> impl Strategy<Value = (Vec<String>, String, Vec<usize>)> {
    (vec(needle, 1..=4), text, vec(0_usize..40, 1..8))
}

/// Masks a text in pieces of these sizes, again and again.
fn masked_in_sizes(masker: &mut Masker, mut text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for size in sizes.iter().cycle() {
        let (piece, rest) = text.split_at((*size).min(text.len()));
        masker.push(piece, |bytes| out.extend_from_slice(bytes));
        text = rest;
        if text.is_empty() || sizes.iter().all(|size| *size == 0) {
            break;
        }
    }
    masker.push(text, |bytes| out.extend_from_slice(bytes));
    masker.finish(|bytes| out.extend_from_slice(bytes));
    out
}

fn check_against_model(needles: &[String], text: &str, sizes: &[usize]) {
    let named: Vec<(&str, &str)> =
        NAMES.into_iter().zip(needles.iter().map(String::as_str)).collect();
    let expected = model(text.as_bytes(), &named);
    let out = masked_in_sizes(&mut masker_of(&named), text.as_bytes(), sizes);
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
}

proptest! {
    #[test]
    fn short_needles_match_the_model(
        (needles, text, sizes) in needles_and_text("[ab]{1,3}( [ab]{1,2})?", "[ab \n]{0,60}")
    ) {
        check_against_model(&needles, &text, &sizes);
    }

    #[test]
    fn needles_with_a_probe_match_the_model(
        (needles, text, sizes) in
            needles_and_text(
                "([ab]{1,2} ){0,2}[ab]{4,7}( [ab]{1,9}){0,2}",
                "([ab]{1,12}[ \n]{0,3}){0,30}",
            )
    ) {
        check_against_model(&needles, &text, &sizes);
    }

    #[test]
    fn needles_longer_than_their_heads_match_the_model(
        (needles, text, sizes) in
            needles_and_text(
                "(ab|abb|aab){2,4}( a){0,2}((ab|a|b|ba){4,20}|(ab){10,20})",
                "((ab){1,30}|(aab){0,9}|abb|[ \t]|a a){0,30}",
            )
    ) {
        check_against_model(&needles, &text, &sizes);
    }

    /// Parts of the needles themselves, so that long ones match, too.
    #[test]
    fn texts_of_parts_of_needles_match_the_model(
        needles in vec("[a-c]{4,6}([ ]?[a-c]{3,30}){1,3}", 1..=4),
        parts in
            vec((any::<prop::sample::Index>(), 0_usize..60, 0_usize..60, "[ \r\nx]{0,2}"), 0..12),
        sizes in vec(0_usize..40, 1..8),
    ) {
        let mut text = String::new();
        for (index, from, length, between) in parts {
            let needle = index.get(&needles);
            let from = if from > 40 { 0 } else { from % needle.len() };
            let until = if length > 30 { needle.len() } else { (from + length).min(needle.len()) };
            text += &needle[from..until].replace(' ', "\r\n");
            text += &between;
        }
        check_against_model(&needles, &text, &sizes);
    }

    #[test]
    fn no_form_of_a_value_survives(
        value in "[ -~éß\n\t]{6,40}",
        before in "[ -~]{0,9}",
        after in "[ -~]{0,9}",
        sizes in vec(0_usize..20, 1..8),
    ) {
        let value = value.trim();
        prop_assume!(normalized(value.as_bytes()).len() >= 6);
        let mut masker = secret(value).masker().unwrap();
        let json = serde_json::to_string(value).unwrap();
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let percent: String = value.bytes().map(|byte| {
            if is_unreserved(byte) { char::from(byte).into() } else { format!("%{byte:02X}") }
        }).collect();
        let json = json[1..json.len() - 1].to_owned();
        let shell = value.replace('\'', r"'\''");
        let crlf = value.replace('\n', "\r\r\n  ");
        for form in [value.to_owned(), crlf, json, shell, percent] {
            let text = format!("{before}\0{form}\0{after}");
            let out = masked_in_sizes(&mut masker, text.as_bytes(), &sizes);
            let out = String::from_utf8(out).unwrap();
            let middle = out.split('\0').nth(1).unwrap();
            prop_assert!(middle.contains("[V]") && !middle.contains(&form), "{form:?}: {out:?}");
        }
        let encoded = BASE64_STANDARD.encode(format!("{before}{value}{after}"));
        let out = masked_in_sizes(&mut masker, encoded.as_bytes(), &sizes);
        let out = String::from_utf8(out).unwrap();
        let max_shown = encoded.len() - value.len() * 8 / 6 + 3;
        prop_assert!(out.contains("[V]") && out.len() - 3 <= max_shown, "{out}");
    }
}
