//! Somebody who changes a file and makes the manifest fit, or the chain as well, and does not change all that follows.

use serde_json::Value;

use super::*;

#[test]
fn a_manifest_that_was_made_to_fit_helps_nobody() {
    let sample = Sample::new();
    let dir = sample.folder();
    for (name, bytes) in contents(&dir) {
        if name == "MANIFEST.sha256" {
            continue;
        }
        let step = (bytes.len() / 40).max(1) | 1;
        for at in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x01;
            fs::write(dir.join(&name), &flipped).unwrap();
            write_manifest(&dir);
            let found = wrong(&dir);
            // Blanks in a JSON document say nothing.
            let nothing = name == "verdicts.json" && bytes[at].is_ascii_whitespace();
            // Which of the two is the old one cannot be told any more.
            let end = name == "verdicts.json" && found.ends_with("line that verdicts.json names");
            let named = found.starts_with(&name) || nothing || end;
            assert!(named, "{name}, byte {at}: {found}");
        }
        fs::write(dir.join(&name), &bytes).unwrap();
    }
}

/// Writes everything anew that holds a hash of something else, as somebody would who knows the format.
fn forge(dir: &Path, change: impl FnOnce(&mut Forged)) {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let json = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let text = read("events.jsonl");
    let mut lines = text.lines();
    let mut forged = Forged {
        dir: dir.to_owned(),
        header: json(lines.next().unwrap()),
        messages: lines.map(|line| json(line)["message"].clone()).collect(),
        run: json(&read("run.json")),
        verdicts: json(&read("verdicts.json")),
    };
    change(&mut forged);
    let hash = |text: &str| crate::model::hex(&Sha256::digest(text));
    let run = serde_json::to_string(&forged.run).unwrap();
    forged.header["run_json"] = hash(&run).into();
    fs::write(dir.join("run.json"), run).unwrap();
    let mut last = forged.header.to_string();
    let mut events = last.clone() + "\n";
    for (n, message) in forged.messages.iter().enumerate() {
        let line = serde_json::json!({"n": n + 1, "before": hash(&last), "message": message});
        last = line.to_string();
        events.push_str(&last);
        events.push('\n');
    }
    fs::write(dir.join("events.jsonl"), events).unwrap();
    forged.verdicts["run"]["last"] = hash(&last).into();
    forged.verdicts["run"]["messages"] = forged.messages.len().into();
    fs::write(dir.join("verdicts.json"), forged.verdicts.to_string()).unwrap();
    write_manifest(dir);
}

struct Forged {
    dir: PathBuf,
    header: Value,
    messages: Vec<Value>,
    run: Value,
    verdicts: Value,
}

impl Forged {
    /// The facts of this kind about a device, with their numbers.
    fn fact(&mut self, device: &str, kind: &str) -> &mut Value {
        let pointer = "/event/fact/device";
        let of = self.messages.iter_mut().filter_map(|message| {
            let about = message.pointer_mut(pointer)?;
            if about["device"] != device {
                return None;
            }
            about["fact"].get_mut(kind)
        });
        of.last().unwrap()
    }
}

#[track_caller]
fn found(change: impl FnOnce(&mut Forged), wanted: &[&str]) {
    let sample = Sample::new();
    let dir = sample.folder();
    forge(&dir, change);
    let found = wrong(&dir);
    assert!(
        wanted.iter().all(|w| found.contains(w)),
        "{wanted:?}: {found}"
    );
}

#[test]
fn forging_that_changes_nothing_is_good() {
    let sample = Sample::new();
    let dir = sample.folder();
    forge(&dir, |_| {});
    good(&dir);
}

#[test]
fn an_outcome_that_the_events_do_not_come_to_is_found() {
    found(
        |forged| forged.verdicts["run"]["devices"][1]["outcome"] = "upgraded".into(),
        &["verdicts.json: ", "vault-02", "upgraded", "rolled_back"],
    );
    found(
        |forged| {
            let devices = forged.verdicts["run"]["devices"].as_array_mut();
            devices.unwrap().pop();
        },
        &["verdicts.json: "],
    );
    found(
        |forged| forged.verdicts["run"]["ended"] = Value::Null,
        &["verdicts.json: "],
    );
    found(
        |forged| forged.verdicts["logs"][1]["verdict"] = "confirmed".into(),
        &["verdicts.json, line "],
    );
    found(
        |forged| {
            forged.verdicts["logs"].as_array_mut().unwrap().pop();
        },
        &["verdicts.json: "],
    );
    found(
        |forged| {
            let more = forged.verdicts["logs"][1].clone();
            forged.verdicts["logs"].as_array_mut().unwrap().push(more);
        },
        &["verdicts.json: ", "says nothing of a log"],
    );
}

#[test]
fn a_device_that_is_called_upgraded_reported_the_image() {
    found(
        |forged| {
            forged.fact("vault-02", "finished")["outcome"] = "upgraded".into();
            forged.verdicts["run"]["devices"][1]["outcome"] = "upgraded".into();
        },
        &[
            "events.jsonl, line ",
            "vault-02: upgraded",
            "signature of the image",
        ],
    );
    found(
        |forged| {
            let other = forged.fact("vault-02", "returned")["version"]["fws"].clone();
            forged.fact("vault-01", "returned")["version"]["fws"] = other.clone();
            forged.verdicts["run"]["devices"][0]["fws"] = other;
        },
        &["events.jsonl, line ", "vault-01: upgraded"],
    );
    // Another image in run.json than was announced.
    found(
        |forged| {
            let sha = &mut forged.run["record"]["facts"]["payload"]["firmware"]["sha256"];
            *sha = "00".repeat(32).into();
        },
        &["events.jsonl, line 2: ", "image is not the one of run.json"],
    );
    found(
        |forged| forged.fact("vault-01", "install_begun")["pending"]["fws_expected"] = Value::Null,
        &["events.jsonl, line ", "another signature"],
    );
}

#[test]
fn a_log_says_what_its_verdict_says() {
    // ERROR becomes OK, in the verdict alone.
    found(
        |forged| {
            let good = forged.fact("vault-01", "audited")["report"]["verdict"].clone();
            forged.fact("vault-02", "audited")["report"]["verdict"] = good.clone();
            forged.verdicts["logs"][1]["verdict"] = good;
        },
        &[
            "events.jsonl, line ",
            "does not say what logs/vault-02/62310ba5.log says",
        ],
    );
    // The whole verdict of the other device, whose file it is not.
    found(
        |forged| {
            let good = forged.fact("vault-01", "audited").clone();
            let verdict = forged.verdicts["logs"][0]["verdict"].clone();
            *forged.fact("vault-02", "audited") = good;
            let second = &mut forged.verdicts["logs"][1];
            second["verdict"] = verdict;
            second["judged"] = "upgraded".into();
        },
        &["logs/vault-02/62310ba5.log", "by its SHA-256"],
    );
    // A line of the file itself.
    found(
        |forged| {
            let path = forged.dir.join("logs/vault-02/62310ba5.log");
            let log = String::from_utf8(vector("upgrade-error.log")).unwrap();
            let log = log.replace("|4|2|", "|4|0|");
            assert_ne!(log.as_bytes(), vector("upgrade-error.log"));
            fs::write(path, &log).unwrap();
            let hash = crate::model::hex(&Sha256::digest(&log));
            forged.fact("vault-02", "audited")["source"]["Ok"]["file"]["sha256"] = hash.into();
        },
        &["events.jsonl, line ", "does not verify"],
    );
    // Another key with its proof, and the file of the one before.
    found(
        |forged| {
            let other = String::from_utf8(vector("vendor-sample.key.json")).unwrap();
            fs::write(forged.dir.join("logs/vault-01/62310ba5.key.json"), &other).unwrap();
            forged.fact("vault-01", "audited")["source"]["Ok"]["key_answer"] = other.into();
        },
        &[
            "events.jsonl, line ",
            "does not say what logs/vault-01/62310ba5.log says",
        ],
    );
    // A key without its proof.
    found(
        |forged| {
            let answer: Value = serde_json::from_slice(&vector("made.key.json")).unwrap();
            let mut answer = answer;
            answer["nonce"] = "AAAA".into();
            let text = answer.to_string();
            fs::write(forged.dir.join("logs/vault-01/62310ba5.key.json"), &text).unwrap();
            forged.fact("vault-01", "audited")["source"]["Ok"]["key_answer"] = text.into();
        },
        &["logs/vault-01/62310ba5.key.json: the log key did not sign the nonce"],
    );
    // A file that came whole, said to have been cut short.
    found(
        |forged| {
            forged.fact("vault-01", "audited")["source"]["Ok"]["file"]["whole"] = false.into();
        },
        &["events.jsonl, line ", "does not say what"],
    );
    // Another token was sought.
    found(
        |forged| {
            let sought = &mut forged.fact("vault-01", "audited")["source"]["Ok"]["sought"];
            sought["upgrade"]["login"] = "mobile".into();
        },
        &["events.jsonl, line ", "does not say what"],
    );
    // A refusal is no name for an error of an upgrade.
    found(
        |forged| {
            let verdict = &mut forged.fact("vault-02", "audited")["report"]["verdict"];
            let refused = verdict["contradicted"].clone();
            let refused = serde_json::json!({"refused": {
                "line": refused["line"], "counter": refused["counter"], "what": refused["why"],
            }});
            *verdict = refused.clone();
            forged.verdicts["logs"][1]["verdict"] = refused;
        },
        &["events.jsonl, line ", "does not say what"],
    );
}

#[test]
fn events_of_another_run_or_of_no_run_are_found() {
    found(
        |forged| forged.header["run"] = "ffffffff".into(),
        &["events.jsonl, line 1: ", "another run"],
    );
    found(
        |forged| {
            forged.fact("vault-03", "finished");
            let last = forged.messages.len() - 2;
            forged.messages[last]["event"]["fact"]["device"]["device"] = "vault-99".into();
        },
        &["events.jsonl, line ", "run.json has no device vault-99"],
    );
    found(
        |forged| forged.header["evidence"] = 2.into(),
        &["events.jsonl: ", "format 2"],
    );
    found(
        |forged| forged.verdicts["more"] = 2.into(),
        &["verdicts.json, line 1: ", "unknown field"],
    );
    found(
        |forged| drop(forged.messages.pop()),
        &["verdicts.json: ", "something else of the run"],
    );
}

#[test]
fn hostile_text_is_shown_escaped() {
    let sample = Sample::new();
    let dir = sample.folder();
    forge(&dir, |forged| {
        forged.messages[3]["event"]["fact"]["device"]["device"] = "\u{1b}[31mX\u{202e}".into();
    });
    let found = wrong(&dir);
    assert!(found.contains("\\u{1b}"), "{found}");
    assert!(!found.contains('\u{1b}') && !found.contains('\u{202e}'));
}

#[test]
fn a_log_that_is_said_to_be_missing_is_shown_as_such() {
    let sample = Sample::new();
    let dir = sample.folder();
    forge(&dir, |forged| {
        let file = serde_json::json!({"lost": {"why": "nobody knows"}});
        forged.verdicts["logs"][0]["file"] = file;
        fs::remove_dir_all(forged.dir.join("logs/vault-01")).unwrap();
    });
    // It is no lie that can be found; but nobody takes it for a verified log.
    let verified = good(&dir);
    let file = verified.logs[0].file.as_ref().unwrap();
    assert_eq!(file.as_ref().unwrap_err(), "nobody knows");
}
