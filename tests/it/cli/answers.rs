//! What commands answer in JSON, and what becomes of an answer that nobody reads to its end.

use serde_json::Value;

use super::program::{Lab, code, hemfleet, json, root, run, text, vector};

/// The one object that a command prints.
fn answer(output: &std::process::Output) -> Value {
    let mut lines = json(&output.stdout);
    assert_eq!(lines.len(), 1, "{}", text(&output.stdout));
    let answer = lines.remove(0);
    assert_eq!(answer["schema"], 1);
    answer
}

#[test]
fn inspect_answers_in_json_what_it_says_in_words() {
    let inspect = |file: &str| run(&["inspect", "--json", vector(file).to_str().unwrap()]);
    let signed = inspect("signed-v1.2.3.bin");
    assert_eq!((code(&signed), text(&signed.stderr)), (0, ""));
    let said = answer(&signed);
    assert_eq!(said["accepted"], true);
    assert_eq!(
        (&said["component"], &said["version"]),
        (&"firmware".into(), &"1.2.3".into())
    );
    assert_eq!(
        said["sha256"],
        "843d1b4c4ddaad02ab8f854da3627693f3d36439eb91d561ce8e6b5a513f1877"
    );
    assert_eq!(said["signer"], said["fwk"]);
    assert!(said.get("reason").is_none());
    let app = answer(&inspect("../app/webroot.tar"));
    assert_eq!(
        (&app["component"], &app["files"]),
        (&"ui".into(), &3.into())
    );
    // Exit codes are those of the words.
    for (file, says) in [
        ("no-footer.bin", "no signed footer"),
        ("damaged.bin", "does not verify"),
        ("absent.bin", "not readable"),
    ] {
        let refused = inspect(file);
        assert_eq!(code(&refused), 2, "{file}");
        let said = answer(&refused);
        assert_eq!(said["accepted"], false);
        assert!(said["reason"].as_str().unwrap().contains(says), "{said}");
    }
}

#[test]
fn config_check_lists_its_faults() {
    let many = root().join("tests/config/invalid/many.toml");
    let check = run(&[
        "config",
        "check",
        "--output",
        "json",
        "-c",
        many.to_str().unwrap(),
    ]);
    assert_eq!((code(&check), text(&check.stderr)), (2, ""));
    let said = answer(&check);
    assert_eq!((&said["ok"], said.get("devices")), (&false.into(), None));
    let faults = said["faults"].as_array().unwrap();
    assert!(faults.len() >= 12, "{said}");
    let first = &faults[0];
    assert_eq!((&first["line"], &first["column"]), (&3.into(), &1.into()));
    assert_eq!(first["key"], "fleet.firmwre");
    assert_eq!(first["hint"], "did you mean `firmware`?");
    assert_eq!(first["file"], many.to_str().unwrap());
    assert!(faults.iter().any(|fault| fault["device"].is_string()));
    let lines: Vec<_> = faults.iter().filter_map(|f| f["line"].as_u64()).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    let good = root().join("tests/config/valid/minimal.toml");
    let check = run(&["config", "check", "--json", "-c", good.to_str().unwrap()]);
    assert_eq!(code(&check), 0);
    let said = answer(&check);
    assert_eq!((&said["ok"], &said["devices"]), (&true.into(), &1.into()));
    assert_eq!(said["faults"], serde_json::json!([]));
}

#[test]
fn fetch_answers_what_is_offered_to_whom_and_where_it_is() {
    let lab = Lab::serve("offer.toml");
    let fetch = |more: &[&str]| {
        let mut fetch = hemfleet();
        fetch.args(["fetch", "--json", "-c"]).arg(lab.inventory());
        fetch
            .arg("--out")
            .arg(lab.dir.path().join("got"))
            .args(more)
            .output()
            .unwrap()
    };
    let output = fetch(&["--component", "both"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let said = answer(&output);
    let offers = said["offers"].as_array().unwrap();
    assert_eq!((offers.len(), &said["exit_code"]), (2, &0.into()), "{said}");
    for offer in offers {
        let path = offer["path"].as_str().unwrap();
        assert!(std::path::Path::new(path).is_file(), "{said}");
        assert_eq!(offer["sha256"].as_str().unwrap().len(), 64);
        assert!(!offer["devices"].as_array().unwrap().is_empty());
    }
    let wrong = Lab::serve("offer-wrong.toml");
    let mut fetch = hemfleet();
    fetch.args(["fetch", "--json", "-c"]).arg(wrong.inventory());
    let output = fetch
        .arg("--out")
        .arg(wrong.dir.path().join("got"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    let said = answer(&output);
    let offer = &said["offers"][0];
    assert!(
        offer["reason"]
            .as_str()
            .unwrap()
            .contains("than the one announced"),
        "{said}"
    );
    assert!(offer.get("path").is_none());
    assert_eq!(said["exit_code"], 1);
}

#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let lab = Lab::serve("all-well.toml");
    let inventory = lab.inventory();
    let image = vector("signed-v1.2.3.bin");
    let damaged = vector("no-footer.bin");
    let (inventory, image, damaged) = (
        inventory.to_str().unwrap(),
        image.to_str().unwrap(),
        damaged.to_str().unwrap(),
    );
    for (args, exit) in [
        (&["config", "example"][..], 0),
        (&["config", "check", "-c", inventory], 0),
        (&["config", "check", "--json", "-c", inventory], 0),
        (&["inspect", image], 0),
        (&["inspect", "--json", damaged], 2),
        // It was made to its end before it was shown.
        (&["plan", "-c", inventory], 0),
    ] {
        let mut command = hemfleet();
        let mut running = command.args(args).start().unwrap();
        running.stdout.close();
        let output = running.output();
        assert_eq!(code(&output), exit, "{args:?}: {}", text(&output.stderr));
        assert!(
            !text(&output.stderr).contains("Broken pipe"),
            "{}",
            text(&output.stderr)
        );
    }
    // Told event by event it ends as a run does: at once, and not all was looked at.
    let many = super::stalled::many(60);
    let mut plan = hemfleet();
    let plan = plan.args(["plan", "--json", "--concurrency", "1", "-c"]);
    let mut running = plan.arg(many.inventory()).start().unwrap();
    running.stdout.close();
    assert_eq!(code(&running.output()), 130);
}
