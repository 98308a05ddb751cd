//! Rust source without its comments and texts, so that a rule meets code and never prose.

/// One source file as rules see it.
#[derive(Debug)]
pub(crate) struct Code {
    /// The file line by line, with comments, strings and characters blanked out.
    pub(crate) lines: Vec<String>,
    /// The index of the line where the unit tests begin; the number of lines without tests.
    pub(crate) tests_from: usize,
}

impl Code {
    /// Blanks out what is no code. `path` says whether the whole file is a test.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        let lines: Vec<String> = blank(text).lines().map(str::to_owned).collect();
        // By our manners the tests are last, under this attribute.
        let unit_tests = lines
            .windows(2)
            .position(|two| two[0].trim() == "#[cfg(test)]" && two[1].trim().ends_with('{'));
        let tests_from = if is_test(path) {
            0
        } else {
            unit_tests.unwrap_or(lines.len())
        };
        Self { lines, tests_from }
    }

    /// Lists the lines with their numbers, from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines
            .iter()
            .enumerate()
            .map(|(at, line)| (at + 1, line.as_str()))
    }

    /// Counts the lines of code outside unit tests that are not empty.
    pub(crate) fn size(&self) -> usize {
        self.lines[..self.tests_from]
            .iter()
            .filter(|line| !line.trim().is_empty())
            .count()
    }
}

/// Whether a whole file is a test.
pub(crate) fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.contains("/benches/")
        || path.ends_with("/tests.rs")
}

/// Puts blanks in place of comments, strings and characters; line ends stay.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let gone = skipped(rest, out.chars().next_back());
        if gone > 0 {
            let (skip, after) = rest.split_at(gone);
            // One mark keeps `x("…")` and `x()` apart, and `x.len("…").y` in one piece.
            out.extend(skip.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        } else {
            let next = rest.chars().next().unwrap_or(' ');
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

/// How many bytes at the start of `rest` are comment, string or character.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return string(rest, 1);
    }
    if !word {
        if rest.starts_with("b\"") || rest.starts_with("c\"") {
            return string(rest, 2);
        }
        let raw = rest.strip_prefix('b').unwrap_or(rest);
        if let Some(hashes) = raw.strip_prefix('r') {
            let count = hashes.len() - hashes.trim_start_matches('#').len();
            if hashes[count..].starts_with('"') {
                let end = format!("\"{}", "#".repeat(count));
                let start = rest.len() - hashes.len() + count + 1;
                return rest[start..]
                    .find(&end)
                    .map_or(rest.len(), |at| start + at + end.len());
            }
        }
    }
    if rest.starts_with('\'') {
        character(rest)
    } else {
        0
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string(rest: &str, from: usize) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip_while(|(at, _)| *at < from) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character has its closing quote after one character or an escape; a lifetime has none.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    let Some((_, first)) = chars.next() else {
        return 0;
    };
    if first == '\\' {
        let end = rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'');
        return end.map_or(0, |(at, _)| 2 + at + 1);
    }
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 0,
    }
}

#[test]
fn prose_is_no_code() {
    let text =
        "a(); // todo!()\n/* x /* y */ z */ b(\"todo!() \\\" \");\nlet r = r#\"to\"do!\"#;\n";
    let code = Code::of("shared/core/src/x.rs", text);
    assert_eq!(code.lines[0].trim(), "a();");
    assert!(code.lines[1].trim().starts_with("b("), "{:?}", code.lines);
    assert!(
        code.lines
            .iter()
            .all(|line| !line.contains("todo") && !line.contains("do!"))
    );
}

#[test]
fn lifetimes_are_code_and_characters_are_not() {
    let code = Code::of(
        "x.rs",
        "fn f<'a>(x: &'a str) -> char { if x == '\"' { '\\'' } else { 'é' } }",
    );
    assert!(
        code.lines[0].contains("<'a>(x: &'a str)"),
        "{:?}",
        code.lines
    );
    assert!(
        !code.lines[0].contains('"') && !code.lines[0].contains('é'),
        "{:?}",
        code.lines
    );
}

#[test]
fn unit_tests_do_not_count_as_code() {
    let text = "//! What.\n\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    let code = Code::of("shared/core/src/x.rs", text);
    assert_eq!((code.size(), code.tests_from), (1, 4));
    assert_eq!(Code::of("tests/rules/x.rs", text).size(), 0);
}
