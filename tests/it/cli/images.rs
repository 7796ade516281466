//! Images and management apps are checked before anything is sent: what they are, and who signed them.

use std::path::Path;
use std::process::Output;

use super::program::{Lab, code, hemfleet, json, of, run, text, vector};

/// `hemfleet plan` with this image.
fn plan(lab: &Lab, image: &Path, more: &[&str]) -> Output {
    let mut command = hemfleet();
    command.args(["plan", "-c"]).arg(lab.inventory());
    command.arg("--firmware").arg(image);
    command.args(more).output().unwrap()
}

#[test]
fn any_other_file_is_refused_and_said_what_it_looks_like() {
    let lab = Lab::serve("all-well.toml");
    let dir = tempfile::tempdir().unwrap();
    let zeros = vec![0_u8; 4096];
    let cases: [(&str, &[u8], &str); 8] = [
        (
            "page",
            b"\n<!DOCTYPE html>\n<html>404</html>",
            "an HTML page",
        ),
        ("passwd", b"root:x:0:0:root:/root:/bin/sh\n", "plain text"),
        ("zip", b"PK\x03\x04\x14\0\0\0", "a zip archive"),
        ("gz", b"\x1f\x8b\x08\0\0\0\0\0", "a gzip file"),
        ("elf", b"\x7fELF\x02\x01\x01\0", "an ELF program"),
        ("zeros", &zeros, "0x00"),
        ("empty", b"", "is empty"),
        ("hex", b":0100000001FF\n:00000001FF\n", "Intel HEX, line 1"),
    ];
    for (name, bytes, says) in cases {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let refused = plan(&lab, &path, &[]);
        assert_eq!(code(&refused), 2, "{name}");
        let err = text(&refused.stderr);
        assert!(err.contains(says), "{name}: {err}");
        let inspected = run(&["inspect", path.to_str().unwrap()]);
        assert_eq!(code(&inspected), 2, "{name}");
        let all = [text(&inspected.stdout), text(&inspected.stderr)].concat();
        assert!(all.contains(says) && all.contains("size"), "{name}: {all}");
    }
    // The management app in the place of the firmware.
    let app = Lab::serve("ui-both.toml");
    let err = plan(&lab, &app.dir.path().join("webroot.tar"), &[]);
    assert_eq!(code(&err), 2);
    assert!(
        text(&err.stderr).contains("management app"),
        "{}",
        text(&err.stderr)
    );

    let page = dir.path().join("page");
    let mut run = lab.run();
    let refused = run.arg("--firmware").arg(&page).output().unwrap();
    assert_eq!((code(&refused), text(&refused.stdout)), (2, ""));
    let forced = plan(&lab, &page, &["--force-image"]);
    assert_eq!(code(&forced), 0, "{}", text(&forced.stderr));
    assert!(text(&forced.stderr).contains("WARNING"));
    let unknown = plan(&lab, &vector("no-footer.bin"), &[]);
    assert_eq!(code(&unknown), 2);
    assert!(
        text(&unknown.stderr).contains("--force-image"),
        "{}",
        text(&unknown.stderr)
    );
}

#[test]
fn a_file_that_the_component_leaves_out_is_refused_and_not_ignored() {
    let lab = Lab::serve("ui-both.toml");
    let (image, app) = ("firmware.bin", "webroot.tar");
    let cases = [
        (vec!["--component", "ui", "--firmware", image], "--firmware"),
        (
            vec!["--component", "ui", "--firmware", "latest"],
            "--firmware",
        ),
        (vec!["--component", "firmware", "--app", app], "--app"),
        (vec!["--app", app], "--app"),
    ];
    for (args, says) in &cases {
        for command in ["plan", "run"] {
            let mut program = hemfleet();
            program.args([command, "-c"]).arg(lab.inventory());
            for arg in args {
                if *arg == image || *arg == app {
                    program.arg(lab.dir.path().join(arg));
                } else {
                    program.arg(arg);
                }
            }
            if command == "run" {
                program.arg("--yes");
            }
            let output = program.output().unwrap();
            let err = text(&output.stderr);
            assert_eq!(
                (code(&output), text(&output.stdout)),
                (2, ""),
                "{args:?}: {err}"
            );
            assert!(err.contains(says), "{args:?}: {err}");
            assert!(err.contains("--component both"), "{args:?}: {err}");
        }
    }
    // What the inventory names for other runs is no contradiction.
    let mut plan = hemfleet();
    plan.args(["plan", "--component", "ui", "-c"]);
    let output = plan.arg(lab.inventory()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
}

/// Adds to the inventory of a lab.
fn add(lab: &Lab, more: &str) {
    let file = lab.inventory();
    let inventory = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{inventory}\n{more}\n")).unwrap();
}

/// The lines of `[images]` that `hemfleet inspect` tells to paste.
fn to_paste(file: &Path) -> Vec<String> {
    let inspected = run(&["inspect", file.to_str().unwrap()]);
    let out = text(&inspected.stdout);
    let lines = out.lines().map(str::trim);
    let pasted: Vec<String> = lines
        .filter_map(|l| l.strip_prefix("to trust").map(str::trim).or(Some(l)))
        .filter(|l| l.starts_with("signers = ") || l.starts_with("allow = "))
        .map(str::to_owned)
        .collect();
    assert_eq!(pasted.len(), 2, "{out}");
    pasted
}

#[test]
fn who_is_not_trusted_is_refused_before_anything_is_sent_whatever_is_forced() {
    let [signers, allow] = &to_paste(&vector("signed-v1.2.3.bin"))[..] else {
        panic!("two lines")
    };
    let stranger = r#"signers = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]"#;
    let lab = |lines: &[&str]| {
        let lab = Lab::serve("offer.toml");
        add(&lab, &format!("[images]\n{}", lines.join("\n")));
        lab
    };
    let trusted = lab(&[signers, allow]);
    let good = plan(&trusted, &vector("signed-v1.2.3.bin"), &[]);
    assert_eq!(code(&good), 0, "{}", text(&good.stderr));
    // The same image in another file is another file.
    let other = plan(&trusted, &vector("signed-v1.2.3.hex"), &[]);
    assert_eq!(code(&other), 2);
    assert!(
        text(&other.stderr).contains("images.allow"),
        "{}",
        text(&other.stderr)
    );
    // What cannot be told is not trusted, and forcing does not help.
    let unknown = plan(&trusted, &vector("no-footer.bin"), &["--force-image"]);
    assert_eq!(code(&unknown), 2);
    assert!(
        text(&unknown.stderr).contains("signer"),
        "{}",
        text(&unknown.stderr)
    );
    // hemfleet inspect has no lines for such a file.
    assert!(
        !text(&unknown.stderr).contains("inspect prints"),
        "{}",
        text(&unknown.stderr)
    );

    let strict = lab(&[stranger]);
    for more in [&[][..], &["--force-image"]] {
        let refused = strict.run().args(more).output().unwrap();
        assert_eq!((code(&refused), text(&refused.stdout)), (2, ""));
        let err = text(&refused.stderr);
        assert!(
            err.contains("nQP5SxVg") && err.contains("images.signers"),
            "{err}"
        );
    }
    let latest = strict
        .run()
        .args(["--firmware", "latest"])
        .output()
        .unwrap();
    assert_eq!(code(&latest), 2);
    assert!(
        text(&latest.stderr).contains("images.signers"),
        "{}",
        text(&latest.stderr)
    );
    let mut fetch = hemfleet();
    fetch
        .args(["fetch", "--component", "both", "-c"])
        .arg(strict.inventory());
    let out = strict.dir.path().join("got");
    let fetched = fetch.arg("--out").arg(&out).output().unwrap();
    assert_eq!(code(&fetched), 1);
    assert!(
        text(&fetched.stderr).contains("images.signers"),
        "{}",
        text(&fetched.stderr)
    );
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    let mut app = strict.run();
    let app = app.args(["--component", "ui"]).output().unwrap();
    assert_eq!(code(&app), 2);
    assert!(
        text(&app.stderr).contains("images.signers"),
        "{}",
        text(&app.stderr)
    );
}

#[test]
fn an_older_image_is_a_downgrade_and_refused_without_the_word() {
    let lab = Lab::serve("downgrade.toml");
    let plan = |more: &[&str]| {
        let mut command = hemfleet();
        command.args(["plan", "-c"]).arg(lab.inventory());
        command.args(more).output().unwrap()
    };
    let verdicts = |output: &Output| -> Vec<String> {
        let events = json(&output.stdout);
        let planned = of(&events, "device_planned");
        planned
            .iter()
            .map(|e| format!("{} {} {}", e["device"], e["verdict"], e["code"]).replace('"', ""))
            .collect()
    };
    let mut said = verdicts(&plan(&["--output", "json"]));
    said.sort();
    assert_eq!(
        said,
        [
            "diagnostic upgrade null",
            "newer downgrade downgrade",
            "older upgrade null",
            "same upgrade null",
            "strange upgrade null",
        ]
    );
    let refused = plan(&[]);
    assert_eq!(code(&refused), 1);
    let out = text(&refused.stdout);
    for wanted in [
        "--allow-downgrade",
        "1.2.10",
        "same version, another build",
        "unknown whether newer or older",
        "-DIAG",
        "1 downgrade refused",
    ] {
        assert!(out.contains(wanted), "{wanted} in {out}");
    }
    let allowed = plan(&["--allow-downgrade"]);
    assert_eq!(code(&allowed), 0, "{}", text(&allowed.stdout));
    assert!(
        text(&allowed.stdout).contains("1 will be downgraded"),
        "{}",
        text(&allowed.stdout)
    );
    let run = lab.run().arg("--allow-downgrade").output().unwrap();
    assert_eq!(code(&run), 0, "{}", text(&run.stderr));
    let events = json(&run.stdout);
    let finished = of(&events, "device_finished");
    assert!(
        finished.iter().all(|e| e["outcome"] == "upgraded"),
        "{finished:?}"
    );
}

/// One of the management apps made with GNU tar and OpenSSL.
fn app(name: &str) -> std::path::PathBuf {
    vector(name).with_file_name("..").join("app").join(name)
}

#[test]
fn inspect_tells_what_an_app_is() {
    let inspect = |name: &str| {
        let output = run(&["inspect", app(name).to_str().unwrap()]);
        (
            code(&output),
            [text(&output.stdout), text(&output.stderr)].concat(),
        )
    };
    let (exit, said) = inspect("webroot.tar");
    assert_eq!(exit, 0, "{said}");
    insta::assert_snapshot!("inspect-app", said);
    let (exit, said) = inspect("other-framing.tar");
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains("does not verify") && said.contains("the device decides"),
        "{said}"
    );
    // A key that verifies nothing is not offered to be trusted: anybody can write it there.
    assert!(
        !said.contains("signers") && said.contains("allow"),
        "{said}"
    );
    let (exit, said) = inspect("mismatch.tar");
    assert_eq!(exit, 2, "{said}");
    assert!(
        said.contains("style.css") && said.contains("manifest"),
        "{said}"
    );
    let (exit, said) = inspect("bare.tar");
    assert_eq!(exit, 2, "{said}");
    assert!(said.contains("96 bytes"), "{said}");
    // No line to paste for what a run refuses.
    assert!(!said.contains("to trust"), "{said}");
    assert!(
        said.contains("dAc+0obBLglENdQb3fQVg009g0iKGt45Wyl3VtsNJu8="),
        "{said}"
    );
}

/// Anybody can write a trusted key into a trailer.
#[test]
fn a_key_that_an_app_only_claims_is_no_signer_and_its_hash_is_trusted_all_the_same() {
    let claims = app("other-framing.tar");
    let told = run(&["inspect", claims.to_str().unwrap()]);
    let told = text(&told.stdout);
    let value = |name: &str| {
        let line = told.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    let signers = format!("signers = [\"{}\"]", value("key"));
    let allow = format!("allow = [\"sha256:{}\"]", value("sha256"));
    for (lines, exit) in [
        (vec![&signers], 2),
        (vec![&allow], 0),
        (vec![&signers, &allow], 0),
    ] {
        let lab = Lab::serve("ui-upgrade.toml");
        let lines: Vec<&str> = lines.into_iter().map(String::as_str).collect();
        add(&lab, &format!("[images]\n{}", lines.join("\n")));
        let mut plan = hemfleet();
        plan.args(["plan", "--component", "ui", "-c"]);
        plan.arg(lab.inventory()).arg("--app").arg(&claims);
        let plan = plan.output().unwrap();
        let said = text(&plan.stderr);
        assert_eq!(code(&plan), exit, "{lines:?}: {said}");
        assert_eq!(said.contains("cannot be told"), exit == 2, "{said}");
    }
}

#[test]
fn an_app_that_no_device_takes_is_refused_unless_it_is_forced() {
    let lab = Lab::serve("ui-upgrade.toml");
    let dir = tempfile::tempdir().unwrap();
    let text_file = dir.path().join("notes.tar");
    std::fs::write(&text_file, "no app at all").unwrap();
    let mut cut = std::fs::read(app("webroot.tar")).unwrap();
    cut.truncate(cut.len() - 20);
    let cut_file = dir.path().join("cut.tar");
    std::fs::write(&cut_file, cut).unwrap();
    for (file, says) in [
        (app("bare.tar"), "96 bytes"),
        (app("mismatch.tar"), "style.css"),
        (text_file, "plain text"),
        (cut_file, "76 bytes"),
    ] {
        let plan = |more: &[&str]| {
            let mut command = hemfleet();
            command
                .args(["plan", "--component", "ui", "-c"])
                .arg(lab.inventory());
            command.arg("--app").arg(&file).args(more).output().unwrap()
        };
        let refused = plan(&[]);
        assert_eq!(code(&refused), 2, "{}", file.display());
        let err = text(&refused.stderr);
        assert!(err.contains(says) && err.contains("--force-image"), "{err}");
        let forced = plan(&["--force-image"]);
        assert_eq!(code(&forced), 0, "{}", text(&forced.stderr));
        assert!(text(&forced.stderr).contains("WARNING"));
    }
    // One that only an older release's framing signs is left to the device.
    let mut command = hemfleet();
    command.args([
        "run",
        "--component",
        "ui",
        "--yes",
        "--output",
        "json",
        "-c",
    ]);
    command
        .arg(lab.inventory())
        .arg("--app")
        .arg(app("webroot.tar"));
    let output = command.output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    let finished = of(&events, "device_finished");
    assert!(
        finished.iter().all(|e| e["outcome"] == "upgraded"),
        "{finished:?}"
    );
    let again = command.output().unwrap();
    let events = json(&again.stdout);
    let finished = of(&events, "device_finished");
    assert!(
        finished.iter().all(|e| e["outcome"] == "current"),
        "{finished:?}"
    );
}
