//! An install is on disk before it is sent, and after the disk has said so the device is looked at once more.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::*;
use crate::engine::{Message, Recorder};

/// A recorder whose disk answers when the test says so.
struct SlowDisk {
    /// The device's requests at the time of each call for the disk, and whether the last message was an announcement.
    asked: Mutex<Vec<(usize, bool)>>,
    last: Mutex<Option<Message>>,
    fake: Fake,
    answer: watch::Receiver<Option<Result<(), String>>>,
}

impl Recorder for SlowDisk {
    fn record(&self, message: &Message) {
        *self.last.lock().unwrap() = Some(message.clone());
    }

    fn on_disk(&self) -> BoxFuture<'static, Result<(), String>> {
        let announced = matches!(
            &*self.last.lock().unwrap(),
            Some(Message::Event(Event {
                fact: Fact::Device {
                    fact: DeviceFact::InstallAnnounced { .. },
                    ..
                },
                ..
            }))
        );
        let installs = self.fake.count("install");
        self.asked.lock().unwrap().push((installs, announced));
        let mut answer = self.answer.clone();
        Box::pin(async move {
            let answered = answer.wait_for(Option::is_some).await;
            answered.map_or(Ok(()), |answer| answer.clone().unwrap_or(Ok(())))
        })
    }
}

fn run_on(
    fake: &Fake,
    answer: watch::Receiver<Option<Result<(), String>>>,
) -> (FleetRun, Arc<SlowDisk>) {
    let disk = Arc::new(SlowDisk {
        asked: Mutex::default(),
        last: Mutex::default(),
        fake: fake.clone(),
        answer,
    });
    let seeds = [crate::engine::fixtures::seed(0, LinkTrust::Ca)];
    let id = seeds[0].id.clone();
    let run = RunId::from_random([7; 4]);
    let payload = Payload::from(image());
    let fleet = Fleet::new(run.clone(), payload.facts(), Mode::Go, 1, seeds);
    let recorder: Arc<dyn Recorder> = disk.clone();
    let session = FleetRun::new(fleet, |inbox| {
        Pool::new(run, [(id, fake.clone())], payload, Policy::default(), inbox)
            .recorded_by(Arc::clone(&recorder))
    });
    (session.recorded_by(recorder), disk)
}

#[tokio::test(start_paused = true)]
async fn no_install_leaves_before_its_announcement_is_on_disk() {
    let fake = Fake::new();
    let (disk, answer) = watch::channel(None);
    let (mut run, asked) = run_on(&fake, answer);
    run.intend(Intent::Begin);
    until(&mut run, |f| {
        matches!(f, DeviceFact::InstallAnnounced { .. })
    })
    .await;
    let waited = tokio::time::timeout(Duration::from_secs(3600), run_to_end(&mut run)).await;
    assert!(waited.is_err(), "it went on without the disk");
    assert_eq!(fake.count("install"), 0);
    let looks = fake.count("version");
    disk.send(Some(Ok(()))).unwrap();
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(*asked.asked.lock().unwrap(), [(0, true)]);
    let world = fake.world();
    let sent = world.asked.iter().position(|a| *a == "install").unwrap();
    let looked = world.asked[..sent].iter().filter(|a| **a == "version");
    assert!(
        looked.count() > looks,
        "no look between the disk and the request"
    );
}

/// Full, read-only, gone: nothing is installed, the row says why, and a stop is heeded while the disk is waited for.
#[tokio::test(start_paused = true)]
async fn an_install_that_cannot_be_written_down_is_not_sent() {
    let fake = Fake::new();
    let (_disk, answer) = watch::channel(Some(Err("no space left".to_owned())));
    let (mut run, _) = run_on(&fake, answer);
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    let what = "no space left".to_owned();
    let kind = FailureKind::InstallNotRecorded { what };
    assert_eq!(failed(&run), (Stage::Install, kind, Touched::ImageStaged));
    assert_eq!(fake.count("install"), 0);
    assert_eq!(only(&run).pending, None);

    let (_disk, answer) = watch::channel(None);
    let (mut run, _) = run_on(&fake, answer);
    run.intend(Intent::Begin);
    until(&mut run, |f| {
        matches!(f, DeviceFact::InstallAnnounced { .. })
    })
    .await;
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Cancelled(Touched::ImageStaged));
    assert_eq!(fake.count("install"), 0);
}
