//! Cancellations, interrupts, and tasks that are lost.

use super::*;

#[test]
fn a_cancel_does_what_the_state_allows() {
    let nothing = || Outcome::Cancelled(Touched::Nothing);
    // Waiting in line: settled, once.
    let mut waiting = fleet(Mode::Go, 1, 2);
    wish(&mut waiting, Intent::Begin);
    let commands = wish(&mut waiting, Intent::Cancel(id(1)));
    assert_eq!(commands, [finish_command(1, 1, nothing())]);
    assert_eq!(wish(&mut waiting, Intent::Cancel(id(1))), []);
    carry_out_finishes(&mut waiting, commands);
    assert_eq!(waiting.devices()[1].outcome(), Some(&nothing()));
    // Its place in line is gone too.
    assert_eq!(tell(&mut waiting, 0, 1, finished(Outcome::Upgraded)), []);
    assert!(waiting.is_over());
    // With a task: asked, as often as it is wished; past the install too, where the task goes on.
    let mut busy = one(Mode::Go);
    assert_eq!(wish(&mut busy, Intent::Cancel(id(0))), [cancel(0)]);
    tell(&mut busy, 0, 1, started(Stage::Install));
    tell(&mut busy, 0, 1, install_begun());
    assert_eq!(wish(&mut busy, Intent::Cancel(id(0))), [cancel(0)]);
    tell(&mut busy, 0, 1, finished(Outcome::Upgraded));
    assert_eq!(busy.devices()[0].outcome(), Some(&Outcome::Upgraded));
    // Ended: nothing.
    assert_eq!(wish(&mut busy, Intent::Cancel(id(0))), []);
    assert_eq!(wish(&mut busy, Intent::CancelAll), []);
}

#[test]
fn what_is_in_doubt_stays_in_doubt_when_its_retry_is_cancelled_in_line() {
    let mut fleet = fleet(Mode::Go, 1, 2);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, finished(Outcome::Lost));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
    let doubt = Outcome::Unknown(Doubt::StoppedWatching);
    let commands = wish(&mut fleet, Intent::Cancel(id(0)));
    assert_eq!(commands, [finish_command(0, 2, doubt)]);
    carry_out_finishes(&mut fleet, commands);
    tell(&mut fleet, 1, 1, finished(Outcome::Upgraded));
    let again = wish(&mut fleet, Intent::Retry(id(0)));
    let [
        Command::Start {
            attempt: 3,
            resume: Some(_),
            ..
        },
    ] = &again[..]
    else {
        panic!("{again:?}");
    };
}

#[test]
fn the_first_interrupt_drains_the_second_aborts_and_nothing_starts_any_more() {
    let mut fleet = fleet(Mode::Go, 2, 4);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, started(Stage::Upload));
    tell(&mut fleet, 1, 1, started(Stage::Install));
    tell(&mut fleet, 1, 1, install_begun());
    let commands = wish(&mut fleet, Intent::Interrupt);
    let none = || Outcome::Cancelled(Touched::Nothing);
    assert_eq!(
        commands,
        [
            cancel(0),
            cancel(1),
            finish_command(2, 1, none()),
            finish_command(3, 1, none())
        ]
    );
    assert_eq!(
        carry_out_finishes(&mut fleet, commands),
        [cancel(0), cancel(1)]
    );
    assert_eq!(fleet.stop(), Some(Stop::Draining));
    let stopped = finished(Outcome::Cancelled(Touched::ImageSent));
    assert_eq!(tell(&mut fleet, 0, 1, stopped), []);
    assert!(!fleet.is_over(), "one is still being watched");
    for wished in [
        Intent::Retry(id(0)),
        Intent::RetryAll(vec![id(0)]),
        Intent::Begin,
        Intent::Confirm,
    ] {
        assert_eq!(wish(&mut fleet, wished), []);
    }
    assert_eq!(wish(&mut fleet, Intent::Interrupt), [abort(1)]);
    assert_eq!(fleet.stop(), Some(Stop::Aborting));
    let commands = lost(&mut fleet, 1, TaskEnd::Aborted);
    assert_eq!(commands, [], "another device's task");
    let gone = Message::TaskLost {
        device: id(1),
        attempt: 1,
        how: TaskEnd::Aborted,
    };
    let commands = fleet.update(&gone);
    let doubt = Outcome::Unknown(Doubt::StoppedWatching);
    assert_eq!(commands, [finish_command(1, 1, doubt)]);
    carry_out_finishes(&mut fleet, commands);
    assert!(fleet.is_over());
}

/// The Ctrl-C that is meant for hemfleet also ends the `tee` behind it; which of the two is noticed first
/// is chance.
#[test]
fn a_reader_that_is_gone_and_an_interrupt_are_one_wish_in_either_order() {
    for wishes in [
        [Intent::Drain, Intent::Interrupt],
        [Intent::Interrupt, Intent::Drain],
        [Intent::Drain, Intent::Drain],
    ] {
        let mut fleet = one(Mode::Go);
        tell(&mut fleet, 0, 1, started(Stage::Upload));
        let [first, second] = wishes.clone();
        assert_eq!(wish(&mut fleet, first), [cancel(0)]);
        assert_eq!(wish(&mut fleet, second), [], "{wishes:?}");
        assert_eq!(fleet.stop(), Some(Stop::Draining), "{wishes:?}");
        wish(&mut fleet, Intent::Interrupt);
        let aborted = wish(&mut fleet, Intent::Interrupt);
        assert_eq!(aborted, [abort(0)], "{wishes:?}");
    }
}

#[test]
fn an_interrupt_before_anything_began_leaves_no_device_without_an_end() {
    let mut fleet = fleet(Mode::Go, 1, 2);
    let commands = wish(&mut fleet, Intent::Interrupt);
    assert_eq!(commands.len(), 2);
    assert_eq!(carry_out_finishes(&mut fleet, commands), []);
    assert_eq!(fleet.counts().of(OutcomeKind::Cancelled), 2);
    assert!(fleet.is_over());
    assert_eq!(wish(&mut fleet, Intent::Begin), []);
}

/// What an attempt has done by the time its task is lost.
#[test]
fn a_lost_task_is_judged_by_what_was_told_before() {
    let reset = || Some(FailureKind::Link(LinkFault::Reset));
    let upload = || [started(Stage::Upload), ended(Stage::Upload, None)];
    let table: Vec<(Vec<DeviceFact>, Touched)> = vec![
        (vec![], Touched::Nothing),
        (vec![started(Stage::Login)], Touched::Nothing),
        (vec![started(Stage::Upload)], Touched::ImageSent),
        // A login anew between two tries of the upload.
        (
            vec![
                started(Stage::Upload),
                ended(Stage::Upload, reset()),
                started(Stage::Login),
            ],
            Touched::ImageSent,
        ),
        // A login anew before the check, or the last look before the install.
        (
            upload()
                .into_iter()
                .chain([started(Stage::Login)])
                .collect(),
            Touched::ImageStaged,
        ),
        (
            upload()
                .into_iter()
                .chain([started(Stage::Probe)])
                .collect(),
            Touched::ImageStaged,
        ),
        (
            upload()
                .into_iter()
                .chain([started(Stage::Check)])
                .collect(),
            Touched::ImageStaged,
        ),
        (
            upload()
                .into_iter()
                .chain([started(Stage::Install)])
                .collect(),
            Touched::ImageStaged,
        ),
    ];
    for (facts, touched) in table {
        let mut aborted = one(Mode::Go);
        let mut panicked = one(Mode::Go);
        for fact in &facts {
            tell(&mut aborted, 0, 1, fact.clone());
            tell(&mut panicked, 0, 1, fact.clone());
        }
        let outcome = Outcome::Cancelled(touched);
        let commands = lost(&mut aborted, 1, TaskEnd::Aborted);
        assert_eq!(commands, [finish_command(0, 1, outcome)], "{facts:?}");
        // A second word about the same loss says nothing.
        assert_eq!(lost(&mut aborted, 1, TaskEnd::Aborted), []);
        let commands = lost(&mut panicked, 1, TaskEnd::Panicked("oh".to_owned()));
        let [
            Command::Finish {
                outcome: Outcome::Failed(failure),
                ..
            },
        ] = &commands[..]
        else {
            panic!("{commands:?}");
        };
        assert_eq!(failure.touched, touched, "{facts:?}");
    }
    // Of an earlier attempt's upload nothing counts.
    let mut fleet = one(Mode::Go);
    for fact in upload() {
        tell(&mut fleet, 0, 1, fact);
    }
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    wish(&mut fleet, Intent::Retry(id(0)));
    let commands = lost(&mut fleet, 2, TaskEnd::Aborted);
    let nothing = Outcome::Cancelled(Touched::Nothing);
    assert_eq!(commands, [finish_command(0, 2, nothing)]);
}

#[test]
fn a_task_lost_past_the_install_leaves_doubt() {
    for (how, doubt) in [
        (TaskEnd::Aborted, Doubt::StoppedWatching),
        (
            TaskEnd::Panicked("oh".to_owned()),
            Doubt::Panicked("oh".to_owned()),
        ),
    ] {
        let mut fleet = one(Mode::Go);
        tell(&mut fleet, 0, 1, started(Stage::Install));
        tell(&mut fleet, 0, 1, install_begun());
        let commands = lost(&mut fleet, 1, how);
        assert_eq!(commands, [finish_command(0, 1, Outcome::Unknown(doubt))]);
        carry_out_finishes(&mut fleet, commands);
        assert!(fleet.devices()[0].pending.is_some());
    }
}

/// What stops a device or the run stops its install as well, whatever its task asks for in the same moment.
#[test]
fn a_device_that_is_being_stopped_gets_no_leave() {
    let mut fleet = fleet(Mode::Go, 2, 2);
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell(&mut fleet, n, 1, started(Stage::Check));
    }
    assert_eq!(wish(&mut fleet, Intent::Cancel(id(0))), [cancel(0)]);
    assert_eq!(tell(&mut fleet, 0, 1, DeviceFact::PermitAsked), []);
    let permit = Command::GivePermit { device: id(1) };
    assert_eq!(tell(&mut fleet, 1, 1, DeviceFact::PermitAsked), [permit]);
}

/// The app is on the device by then, and the firmware is not.
#[test]
fn a_task_that_dies_between_app_and_firmware_has_installed_something() {
    let mut fleet = one(Mode::Go);
    let DeviceFact::Returned { version, .. } = returned(Outcome::AppInstalled) else {
        panic!("what a device returns with");
    };
    for fact in [
        started(Stage::InstallUi),
        install_begun(),
        ended(Stage::InstallUi, None),
        started(Stage::VerifyUi),
        DeviceFact::Returned {
            component: Component::Ui,
            version,
            outcome: None,
        },
        ended(Stage::VerifyUi, None),
        started(Stage::Login),
    ] {
        tell(&mut fleet, 0, 1, fact);
    }
    let commands = lost(&mut fleet, 1, TaskEnd::Panicked("bug".to_owned()));
    let failed = Failure {
        stage: Stage::Login,
        kind: FailureKind::Panicked {
            what: "bug".to_owned(),
        },
        touched: Touched::InstallSent,
    };
    assert_eq!(commands, [finish_command(0, 1, Outcome::Failed(failed))]);
}
