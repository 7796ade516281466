//! What the reducer makes of audit logs, and of upgrades that they do not confirm.

use super::*;

#[test]
fn what_the_logs_say_is_counted_and_forgotten_with_a_new_attempt() {
    let verdicts = [
        AuditVerdict::Confirmed {
            line: 8,
            counter: 6,
            cut_line: None,
        },
        AuditVerdict::Missing {
            token_line: None,
            other_line: None,
        },
        AuditVerdict::Unavailable(AuditObstacle::Busy),
        AuditVerdict::Unavailable(AuditObstacle::Epa),
    ];
    let mut fleet = fleet(Mode::Go, 4, 5);
    wish(&mut fleet, Intent::Begin);
    for (n, verdict) in verdicts.into_iter().enumerate() {
        let report = Box::new(AuditReport {
            verdict,
            judged: OutcomeKind::Upgraded,
            link: LinkTrust::Pinned,
            file: None,
            log: None,
        });
        tell(
            &mut fleet,
            n,
            1,
            DeviceFact::Audited {
                report,
                source: None,
            },
        );
    }
    let wanted = Audits {
        confirmed: 1,
        missing: 1,
        unavailable: 2,
        ..Audits::default()
    };
    assert_eq!((fleet.audits(), fleet.audits().total()), (wanted, 4));
    tell(&mut fleet, 1, 1, finished(Outcome::RolledBack));
    wish(&mut fleet, Intent::Retry(id(1)));
    assert_eq!(fleet.audits().missing, 0);
}

#[test]
fn what_is_not_confirmed_is_only_read_again_until_it_is() {
    let resume = |commands: &[Command]| match commands {
        [Command::Start { resume, .. }] => resume.clone(),
        other => panic!("{other:?}"),
    };
    let mut fleet = one(Mode::Go);
    tell(&mut fleet, 0, 1, started(Stage::Install));
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, ended(Stage::Verify, None));
    tell(&mut fleet, 0, 1, returned(unconfirmed()));
    tell(&mut fleet, 0, 1, finished(unconfirmed()));
    let commands = wish(&mut fleet, Intent::Retry(id(0)));
    // What it was proven to run is still what it runs.
    assert!(fleet.devices()[0].to_label().is_some());
    let read_again = Some(Resume::Log {
        mark: None,
        judged: Outcome::Upgraded,
    });
    assert_eq!(resume(&commands), read_again);
    // Aborted, panicked, or not confirmed once more: it stays what it is.
    tell(&mut fleet, 0, 2, started(Stage::Audit));
    let commands = lost(&mut fleet, 2, TaskEnd::Panicked("bug".to_owned()));
    carry_out_finishes(&mut fleet, commands);
    assert!(matches!(fleet.devices()[0].outcome(), Some(Outcome::Failed(f)) if f.is_about_log()));
    let commands = wish(&mut fleet, Intent::RetryAll(vec![id(0)]));
    assert_eq!(resume(&commands), read_again);
    tell(&mut fleet, 0, 3, finished(unconfirmed()));
    let commands = wish(&mut fleet, Intent::Retry(id(0)));
    assert_eq!(resume(&commands), read_again);
    tell(&mut fleet, 0, 4, finished(Outcome::Upgraded));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
}

#[test]
fn what_is_not_confirmed_stays_so_when_its_retry_is_cancelled_in_line() {
    let mut fleet = fleet(Mode::Go, 1, 2);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, finished(unconfirmed()));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
    let commands = wish(&mut fleet, Intent::Cancel(id(0)));
    carry_out_finishes(&mut fleet, commands);
    tell(&mut fleet, 1, 1, finished(Outcome::Upgraded));
    let again = wish(&mut fleet, Intent::Retry(id(0)));
    assert!(matches!(
        &again[..],
        [Command::Start {
            resume: Some(Resume::Log { .. }),
            ..
        }]
    ));
}

#[test]
fn a_task_that_dies_in_the_audit_leaves_what_was_judged() {
    for how in [TaskEnd::Aborted, TaskEnd::Panicked("bug".to_owned())] {
        for judged in [Outcome::Upgraded, Outcome::RolledBack, unconfirmed()] {
            let mut fleet = one(Mode::Go);
            tell(&mut fleet, 0, 1, started(Stage::Install));
            tell(&mut fleet, 0, 1, install_begun());
            tell(&mut fleet, 0, 1, returned(judged.clone()));
            tell(&mut fleet, 0, 1, started(Stage::Audit));
            let commands = lost(&mut fleet, 1, how.clone());
            assert_eq!(commands, [finish_command(0, 1, judged)]);
        }
    }
}

#[test]
fn an_audit_run_audits_and_a_retry_audits_again() {
    let audit = |attempt| Command::Audit {
        device: id(0),
        attempt,
        all: true,
    };
    let mut fleet = fleet(Mode::Audit { all: true }, 1, 1);
    assert_eq!(wish(&mut fleet, Intent::Begin), [audit(1)]);
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), [audit(2)]);
    tell(&mut fleet, 0, 2, finished(Outcome::Audited { files: 2 }));
    assert!(fleet.is_over());
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
}
