//! What no Rust file may say, and where the few exceptions are, each with its reason.

use crate::code::is_test;
use crate::tree::{Finding, Tree, require_none};

/// Words that a file may not contain, outside comments and strings.
struct Rule {
    words: &'static [&'static str],
    /// Which files the rule is about.
    about: fn(&str) -> bool,
    /// What to do instead.
    instead: &'static str,
    /// Paths (or their beginnings) that may, and why.
    except: &'static [(&'static str, &'static str)],
}

const RULES: &[Rule] = &[
    Rule {
        words: &["env::var", "env::set_var", "env::remove_var"],
        // A test that must be told something says so to clippy, with its reason.
        about: |path| !is_test(path),
        instead: "settings are read once, in quittance_aws::settings",
        except: &[(
            "shared/aws/src/settings",
            "the one reader of the environment",
        )],
    },
    Rule {
        words: &["#[allow(", "#![allow("],
        about: |_| true,
        instead: "#[expect(lint, reason = \"…\")], which says when it is no longer needed",
        except: &[],
    },
    Rule {
        words: &["thread::sleep", "time::sleep"],
        about: is_test,
        instead: "virtual time, or wait for the condition",
        except: &[],
    },
    Rule {
        words: &["#[ignore"],
        about: |_| true,
        instead: "a test runs, or fails with advice; it is never skipped",
        except: &[
            (
                "shared/local/tests/local/durability.rs",
                "a child process that its parent test kills",
            ),
            (
                "shared/local/tests/local/speed.rs",
                "a measurement that is run by hand",
            ),
        ],
    },
    Rule {
        words: &["todo!", "unimplemented!", "dbg!"],
        about: |_| true,
        instead: "finish it, or leave it out",
        except: &[],
    },
    Rule {
        words: &["std::process::exit", "process::abort"],
        about: |path| !path.starts_with("functions/cli/"),
        instead: "return a fault: a function lives on",
        except: &[],
    },
    Rule {
        words: &[
            "async ",
            ".await",
            "SystemTime",
            "Instant",
            "Timestamp::now",
            "Zoned::now",
            "std::fs",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "std::env",
            "std::process",
            "std::thread",
            "getrandom",
            "rand::",
            "println!",
        ],
        about: |path| decides(path) && !is_test(path),
        instead: "core and tlog decide: time, chance and bytes come in as arguments",
        except: &[],
    },
    Rule {
        words: &[
            "aws_sdk",
            "aws_smithy",
            "aws_config",
            "aws_types",
            "lambda_",
        ],
        about: |path| decides(path) || path.starts_with("shared/engine/"),
        instead: "no type of an SDK passes a port: adapters are in shared/aws and shared/stores",
        except: &[],
    },
    Rule {
        words: &[
            "SystemTime::now",
            "Instant::now",
            "Timestamp::now",
            "getrandom::",
        ],
        about: |path| path.starts_with("shared/engine/") || path.starts_with("shared/stores/"),
        instead: "engine's Clock port gives time and chance",
        except: &[],
    },
];

#[test]
fn forbidden_words_stand_nowhere() {
    require_none("words that no source may contain", &forbidden(Tree::read()));
}

#[test]
fn each_forbidden_word_is_found() {
    for rule in RULES {
        for word in rule.words {
            let places = ["shared/core/src/planted.rs", "tests/journey/planted.rs"];
            let place = places
                .into_iter()
                .find(|place| (rule.about)(place))
                .unwrap_or_else(|| {
                    assert!(
                        (rule.about)("shared/engine/src/planted.rs"),
                        "nothing is checked"
                    );
                    "shared/engine/src/planted.rs"
                });
            let tree = Tree::planted(&[(place, &format!("fn f() {{\n    {word}\n}}\n"))]);
            let findings = forbidden(&tree);
            assert!(
                findings.iter().any(|f| f.contains(&format!("{place}:2"))),
                "{word} in {place}"
            );
        }
    }
}

#[test]
fn a_comment_or_a_text_may_name_them() {
    let text = "// todo!() and std::env::var\nconst A: &str = \"dbg!(thread::sleep)\";\n";
    assert_eq!(
        forbidden(&Tree::planted(&[("shared/core/src/a.rs", text)])),
        Vec::<Finding>::new()
    );
}

#[test]
fn every_exception_is_still_needed() {
    let tree = Tree::read();
    for (path, reason) in RULES.iter().flat_map(|rule| rule.except) {
        assert!(!reason.is_empty());
        let lives = tree.paths.iter().any(|p| p.starts_with(path));
        assert!(lives, "{path} is gone: so is its exception");
    }
}

#[test]
fn no_room_is_an_attic() {
    require_none("names that say nothing", &attics(Tree::read()));
}

#[test]
fn an_attic_is_found() {
    for (path, text) in [
        ("shared/engine/src/util.rs", ""),
        ("shared/helpers/src/lib.rs", ""),
        ("shared/engine/src/common/mod.rs", ""),
        ("shared/engine/src/a.rs", "pub struct RequestManager;"),
        ("shared/engine/src/a.rs", "trait StoreHelper {}"),
        (
            "shared/engine/src/a.rs",
            "pub(crate) const fn get_stage() {}",
        ),
    ] {
        assert_eq!(
            attics(&Tree::planted(&[(path, text)])).len(),
            1,
            "{path} {text}"
        );
    }
}

fn forbidden(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, code) in tree.rust() {
        for rule in RULES.iter().filter(|rule| (rule.about)(path)) {
            if rule.except.iter().any(|(start, _)| path.starts_with(start)) {
                continue;
            }
            for (number, line) in code.numbered() {
                for word in rule.words.iter().filter(|word| stands_in(line, word)) {
                    findings.push(format!("{path}:{number}: {word} ({})", rule.instead));
                }
            }
        }
    }
    findings
}

/// Rooms, modules and types named after nothing; accessors named after getting.
fn attics(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, code) in tree.rust() {
        let named = path.split(['/', '.']).find(|part| NAMES.contains(part));
        if let Some(name) = named {
            findings.push(format!("{path}: `{name}` is no concept"));
        }
        for (number, line) in code.numbered().take(code.tests_from) {
            let words: Vec<&str> = line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .collect();
            for two in words.windows(2) {
                let typed = ["struct", "enum", "trait"].contains(&two[0])
                    && ENDINGS
                        .iter()
                        .any(|end| two[1].ends_with(end) && two[1] != *end);
                // A method that is not `pub` may be a foreign trait's, whose names are not ours.
                let ours = words.contains(&"pub") || !line.starts_with(' ');
                if typed || (ours && two[0] == "fn" && two[1].starts_with("get_")) {
                    findings.push(format!("{path}:{number}: `{}`", two[1]));
                }
            }
        }
    }
    findings
}

/// Whether a file belongs to the crates without effects.
fn decides(path: &str) -> bool {
    ["shared/core/src/", "shared/tlog/src/"]
        .iter()
        .any(|start| path.starts_with(start))
}

/// Whether a word stands in a line, not merely as the end of a longer name.
fn stands_in(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let name = |c: char| c.is_alphanumeric() || c == '_';
        !word.starts_with(name) || !before.is_some_and(name)
    })
}

const NAMES: &[&str] = &[
    "util",
    "utils",
    "common",
    "helper",
    "helpers",
    "misc",
    "shared_code",
    "prelude",
];
const ENDINGS: &[&str] = &["Manager", "Helper", "Util", "Utils", "Impl", "Service"];
