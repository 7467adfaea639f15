//! `ddpatrol rules new`: options, sample tokens and answers on a terminal make a rule file that is valid.

use crate::support::mint::{self, Random};
use crate::support::tree::Tree;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

fn sample(seed: u64) -> String {
    mint::classic(&mut Random(seed), "exk_", 30)
}

/// Asserts that a token is proven with the rules of a file.
#[track_caller]
fn assert_proven(tree: &Tree, file: &str, token: &str) {
    let ran = tree.run_with_input(&["check", "--rules", file], token.as_bytes());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
}

#[test]
fn options_describe_a_format() {
    let tree = Tree::new();
    let args = ["rules", "new", "--issuer", "Example", "--id", "example-key", "--prefix", "exk_"];
    let ran = tree.run(&[&args[..], &["--length", "30", "--checksum", "crc32"]].concat());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let text = std::fs::read_to_string(tree.path().join("example-key.toml")).expect("the file");
    assert!(text.contains("source = \"our own: minted from this description"), "{text}");
    assert!(ran.stdout().contains("1 rule checked, all valid."), "{ran:?}");
    assert!(ran.stdout().contains("it shows nothing about the issuer's"), "{ran:?}");
    assert_proven(&tree, "example-key.toml", &sample(1));
    let shown = tree.run(&["rules", "show", "example-key", "--rules", "example-key.toml"]);
    assert!(shown.stdout().contains("vector         our own: minted"), "{shown:?}");
    assert!(shown.stdout().contains("30 characters of base62\n"), "{shown:?}");
    let shown = tree.run(&["rules", "show", "nats-nkey-seed"]);
    assert!(shown.stdout().contains("1 character of [A-P]\n"), "{shown:?}");
    // The minted token is not printed.
    let token: String = text.lines().filter(|line| line.starts_with("token = ")).collect();
    let parts: Vec<&str> = token.split('"').collect();
    assert!(!ran.stdout().contains(parts[3]) && !ran.stderr().contains(parts[3]));
    // An existing file is replaced on request only.
    let again = [&args[..], &["--length", "20"]].concat();
    let ran = tree.run(&again);
    assert!(ran.code() == Some(2) && ran.stderr().contains("--force replaces it"), "{ran:?}");
    let ran = tree.run(&[&again[..], &["--force"]].concat());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains("matches are shaped"), "{ran:?}");
}

#[test]
fn the_checksum_is_found_from_samples_on_standard_input() {
    let tree = Tree::new();
    let args = ["rules", "new", "own.toml", "--issuer", "Example", "--id", "example-key"];
    let samples = format!("{}\n{}\n", sample(1), sample(2));
    let ran = tree.run_with_input(&[&args[..], &["--samples"]].concat(), samples.as_bytes());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let found = "Checksum found: the last 6 characters of 2 samples are crc32 in base62.";
    assert!(ran.stderr().contains(found), "{ran:?}");
    let text = std::fs::read_to_string(tree.path().join("own.toml")).expect("the file");
    for seed in [1, 2] {
        let secret = &sample(seed)[4..];
        for shown in [&text, &ran.stdout(), &ran.stderr()] {
            assert!(!shown.contains(&secret[..12]) && !shown.contains(&secret[24..]), "{shown}");
        }
    }
    assert!(text.contains("which verified 2 tokens of the issuer"), "{text}");
    assert_proven(&tree, "own.toml", &sample(3));
    // On request the first sample becomes the vector.
    let revoked = [&args[..], &["--samples", "--revoked-sample", "--force"]].concat();
    let ran = tree.run_with_input(&revoked, samples.as_bytes());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let text = std::fs::read_to_string(tree.path().join("own.toml")).expect("the file");
    assert!(text.replace("\", \"", "").contains(&sample(1)) && text.contains("which is revoked"));
    assert!(ran.stdout().contains("if it is not revoked, whoever reads the file can use it"));
    assert!(!ran.stdout().contains(&sample(1)[4..]), "{ran:?}");
}

#[test]
fn samples_without_a_known_checksum_make_a_shaped_rule() {
    let tree = Tree::new();
    let mut random = Random(7);
    let samples = [(); 2].map(|()| format!("exk_{}", random.base62(40))).join("\n");
    let args = ["rules", "new", "--issuer", "Example", "--id", "example-key", "--samples"];
    let ran = tree.run_with_input(&args, samples.as_bytes());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stderr().contains("No known checksum verifies 2 samples."), "{ran:?}");
    let text = std::fs::read_to_string(tree.path().join("example-key.toml")).expect("the file");
    assert!(text.contains("length = 40") && !text.contains("vectors"), "{text}");
}

#[test]
fn missing_and_invalid_options_are_named_without_a_sample() {
    let tree = Tree::new();
    let fails = |args: &[&str], input: &str, message: &str| {
        let ran = tree.run_with_input(&[&["rules", "new"], args].concat(), input.as_bytes());
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran:?}");
        assert!(ran.stderr().contains(message), "{args:?}: {ran:?}");
        assert!(!ran.stderr().contains(&sample(1)[4..]), "{ran:?}");
    };
    fails(&[], "", "missing --id, --issuer, --prefix, --length or --samples");
    let named = ["--issuer", "Example", "--id", "example-key"];
    let with = |more: &[&'static str]| [&named[..], more].concat();
    fails(&with(&["--samples"]), "", "no sample token");
    let two = format!("{}\nabc_{}", sample(1), &sample(1)[4..]);
    fails(&with(&["--samples"]), &two, "give the prefix by --prefix");
    fails(
        &with(&["--samples", "--prefix", "exk_"]),
        &two,
        "sample 2 does not begin with the prefix",
    );
    let format = ["--prefix", "exk_", "--length", "30"];
    let with = |more: &[&'static str]| [&named[..], &format, more].concat();
    fails(&with(&["--checksum", "md5"]), "", "unknown checksum `md5`");
    fails(&with(&["--alphabet", "base63"]), "", "unknown alphabet `base63`");
    fails(&with(&["--checksum", "crc32", "--encoding", "x"]), "", "unknown encoding `x`");
    fails(&with(&["--checksum", "crc32", "--over", "x"]), "", "unknown part `x`");
    fails(&with(&["--checksum", "sha256"]), "", "give it by --checksum-length");
    fails(&with(&["--encoding", "hex"]), "", "add --checksum crc32");
    fails(&["--issuer", "E", "--id", "e", "--prefix", "e", "--length", "9"], "", "too short");
    assert!(std::fs::read_dir(tree.path()).expect("a folder").next().is_none());
}

/// A program in a terminal.
struct Conversation {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    shown: Vec<u8>,
}

impl Conversation {
    /// Starts a command in a terminal, by the program `script` of util-linux.
    fn start(tree: &Tree, arguments: &str) -> Self {
        let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_ddpatrol"));
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(tree.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("script runs");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        Self { child, input, output, shown: Vec::new() }
    }

    /// Waits for a question and answers it.
    #[track_caller]
    fn answer(&mut self, question: &str, answer: &str) {
        let start = self.shown.len();
        let mut byte = [0];
        while memchr::memmem::find(&self.shown[start..], question.as_bytes()).is_none()
            || !self.shown.ends_with(b": ")
        {
            let read = self.output.read(&mut byte).expect("output");
            assert_eq!(read, 1, "{question}: {}", String::from_utf8_lossy(&self.shown));
            self.shown.push(byte[0]);
        }
        self.input.write_all(format!("{answer}\n").as_bytes()).expect("it reads");
    }

    /// Returns the exit code and everything that the terminal showed.
    fn end(mut self) -> (Option<i32>, String) {
        self.output.read_to_end(&mut self.shown).expect("the program ends");
        let code = self.child.wait().expect("the program ends").code();
        (code, String::from_utf8_lossy(&self.shown).into_owned())
    }
}

#[test]
fn answers_on_a_terminal_describe_a_format() {
    let tree = Tree::new();
    let mut talk = Conversation::start(&tree, "rules new");
    talk.answer("Issuer", "Acme Inc.");
    talk.answer("Id of the rule [acme-inc-token]", "");
    talk.answer("Name in reports [Acme Inc. Token]", "");
    talk.answer("Sample (not shown)", "");
    talk.answer("Prefix of all tokens", "exk_");
    talk.answer("Alphabet [base62]", "base99");
    talk.answer("Alphabet [base62]", "");
    talk.answer("Length of the secret part [30]", "");
    talk.answer("Checksum after the secret part (none, crc32, sha256) [none]", "crc32");
    talk.answer("Encoding of the checksum [base62]", "");
    talk.answer("Characters before the checksum", "");
    talk.answer("Covered part (secret, prefix-and-secret, all) [secret]", "");
    let (code, shown) = talk.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("unknown alphabet: expected base62"), "{shown}");
    assert_proven(&tree, "acme-inc-token.toml", &sample(4));
}

#[test]
fn samples_on_a_terminal_are_not_shown() {
    for revoked in [false, true] {
        let tree = Tree::new();
        let mut talk = Conversation::start(&tree, "rules new --issuer Us --id own --name Own");
        talk.answer("Sample (not shown)", &sample(1));
        talk.answer("Sample (not shown)", &sample(2));
        talk.answer("Sample (not shown)", "");
        talk.answer("Prefix of all tokens [exk_]", "");
        talk.answer("Write the first sample into the file?", if revoked { "y" } else { "" });
        let (code, shown) = talk.end();
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("crc32 in base62") && !shown.contains(&sample(1)[8..20]), "{shown}");
        let text = std::fs::read_to_string(tree.path().join("own.toml")).expect("the file");
        assert_eq!(text.replace("\", \"", "").contains(&sample(1)), revoked, "{text}");
        assert_proven(&tree, "own.toml", &sample(3));
    }
}
