//! The device in memory behind the port [`Device`]: what it answers to each request.

use super::*;

impl Device for Fake {
    async fn version(&self) -> Result<DeviceVersion, FailureKind> {
        self.ask("version").await?;
        let mut world = self.world();
        if let Some(kind) = world.probes.pop_front() {
            return Err(kind);
        }
        Ok(DeviceVersion {
            hwv: world.hwv.to_owned(),
            fwv: format!("Encedo nGINE FW v{}", world.version),
            fwk: Some(world.fwk),
            fws: world.fws,
            uis: world.uis.clone(),
            sd_cid: world.sd_cid.clone(),
        })
    }

    async fn status(&self) -> Result<DeviceStatus, FailureKind> {
        self.ask("status").await?;
        let world = self.world();
        Ok(DeviceStatus {
            uptime: Duration::from_secs(world.booted.elapsed().mul_f64(world.rate).as_secs()),
            clock: world
                .clock_set
                .then(|| jiff::Timestamp::now().as_second() + world.clock_offset),
            initialised: world.initialised,
            fls_state: FlsState(world.fls_state),
            trusted_time: world.trusted_time,
            fw_upgrade: world.fw_upgrade,
        })
    }

    async fn checkin(&self) -> Result<CheckinReport, FailureKind> {
        self.ask("checkin").await?;
        let mut world = self.world();
        let report = world
            .checkins
            .pop_front()
            .unwrap_or_else(|| Ok(CheckinReport::default()))?;
        world.clock_set = true;
        world.clock_offset = 0;
        Ok(report)
    }

    fn credentials(&self) -> Credentials {
        self.world().credentials
    }

    fn link(&self) -> LinkTrust {
        LinkTrust::Pinned
    }

    fn may_carry_token(&self) -> bool {
        self.world().may_carry_token
    }

    async fn checkin_in_clear(&self) -> Result<CheckinReport, FailureKind> {
        self.ask("checkin in clear").await?;
        let mut world = self.world();
        world.clock_set = true;
        world.expired &= !world.renews;
        Ok(CheckinReport {
            newcrt: Some("OK".to_owned()),
            ..CheckinReport::default()
        })
    }

    async fn login(&self, scope: Scope, lifetime: Duration) -> Result<Session, LoginError> {
        self.ask(match scope {
            Scope::Upgrade => "login",
            Scope::Log => "login for the log",
        })
        .await
        .map_err(LoginError::Failed)?;
        let mut world = self.world();
        if let Some(error) = world.logins.pop_front() {
            return Err(error);
        }
        if world.other_eid && scope == Scope::Log {
            let what = "eid".to_owned();
            return Err(LoginError::Failed(FailureKind::OtherDevice { what }));
        }
        if world.credentials == Credentials::Token {
            return Ok(Session {
                token: Some(Secret::new(b"given".to_vec())),
                ..Session::anonymous()
            });
        }
        if world.credentials == Credentials::Prompt {
            match (&world.typed, world.secret) {
                (None, _) => return Err(LoginError::SecretWanted),
                (Some(typed), Some(right)) if typed.expose() != right => {
                    return Err(LoginError::Failed(FailureKind::WrongSecret));
                }
                _ => {}
            }
        }
        if !world.clock_set && world.trusted_time {
            return Err(LoginError::ClockUnset);
        }
        Ok(world.token(scope, AuditType::TOKEN, lifetime, Some(Derivation::Pbkdf2)))
    }

    fn give_secret(&self, secret: Secret) {
        self.world().typed = Some(secret);
    }

    fn upgraded_eid(&self) -> Option<String> {
        Some("ZWlk".to_owned())
    }

    fn expect_eid(&self, eid: &str) {
        assert_eq!(eid, "ZWlk");
    }

    async fn request_approval(&self, scope: Scope, note: &str) -> Result<Approval, LoginError> {
        self.ask("request").await.map_err(LoginError::Failed)?;
        let mut world = self.world();
        if let Some(error) = world.requests.pop_front() {
            return Err(error);
        }
        if world.fws == Some(NEW)
            && let Some(error) = world.requests_after_boot.pop_front()
        {
            return Err(error);
        }
        if !world.clock_set {
            return Err(LoginError::ClockUnset);
        }
        world.notes.push(note.to_owned());
        world.goes_out(1);
        Ok(Approval {
            event: "1".to_owned(),
            scope,
        })
    }

    async fn poll_approval(&self, _approval: &Approval) -> Result<ApprovalAnswer, FailureKind> {
        self.ask("poll").await?;
        let mut world = self.world();
        let phone = world.phone.pop_front().unwrap_or(Ok(Phone::Silent))?;
        if phone != Phone::Silent {
            world.goes_out(-1);
        }
        Ok(match phone {
            Phone::Silent => ApprovalAnswer::Pending,
            Phone::Approves => ApprovalAnswer::Approved(ApprovalReply(Secret::new(Vec::new()))),
            Phone::Denies => ApprovalAnswer::Denied,
            Phone::Expires => ApprovalAnswer::Expired,
        })
    }

    async fn redeem_approval(
        &self,
        approval: &Approval,
        _reply: ApprovalReply,
    ) -> Result<Session, LoginError> {
        self.ask("redeem").await.map_err(LoginError::Failed)?;
        let mut world = self.world();
        if let Some(error) = world.redeems.pop_front() {
            return Err(error);
        }
        let life = Duration::from_secs(15 * 60);
        Ok(world.token(approval.scope, AuditType::TOKEN_MOBILE, life, None))
    }

    async fn withdraw_approval(&self, _approval: &Approval) -> Result<(), FailureKind> {
        self.ask("withdraw").await?;
        let mut world = self.world();
        if let Some(kind) = world.withdrawals.pop_front() {
            return Err(kind);
        }
        world.goes_out(-1);
        Ok(())
    }

    async fn upload(
        &self,
        session: &Session,
        image: Image<'_>,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        self.ask(match image.component() {
            Component::Firmware => "upload",
            Component::Ui => "upload app",
        })
        .await?;
        takes(session, Scope::Upgrade);
        let (fault, takes) = {
            let mut world = self.world();
            (world.uploads.pop_front(), world.upload_takes)
        };
        if let Some((sent, kind)) = fault {
            if sent > 0 {
                progress.sent(sent);
            }
            return Err(kind);
        }
        progress.sent(10);
        tokio::time::sleep(takes).await;
        progress.sent(image.bytes().len() as u64);
        Ok(())
    }

    async fn check(
        &self,
        component: Component,
        session: &Session,
        _limit: Duration,
    ) -> Result<CheckAnswer, FailureKind> {
        self.ask(match component {
            Component::Firmware => "check",
            Component::Ui => "check app",
        })
        .await?;
        let mut world = self.world();
        takes(session, Scope::Upgrade);
        match world.checks.pop_front() {
            Some(Ok(201)) => Ok(CheckAnswer::Started),
            Some(Ok(202)) => Ok(CheckAnswer::Running),
            Some(Ok(status)) => Err(FailureKind::Status { status }),
            Some(Err(kind)) => Err(kind),
            None => {
                match component {
                    Component::Firmware => world.validated += 1,
                    Component::Ui => world.validated_apps += 1,
                }
                Ok(CheckAnswer::Valid(Validated::by_device(component)))
            }
        }
    }

    async fn install(&self, validated: Validated, session: &Session) -> InstallAnswer {
        let asked = self
            .ask(match validated.component() {
                Component::Firmware => "install",
                Component::Ui => "install app",
            })
            .await;
        if asked.is_err() {
            return InstallAnswer::NotSent(LinkFault::Reset);
        }
        takes(session, Scope::Upgrade);
        let (answer, takes) = match validated.component() {
            Component::Firmware => self.installed(),
            Component::Ui => self.installed_app(),
        };
        tokio::time::sleep(takes).await;
        answer
    }

    async fn log_key(&self, session: &Session) -> Result<ProvenKey, FailureKind> {
        self.ask("log key").await?;
        let mut world = self.world();
        takes(session, Scope::Log);
        world.log.key()?;
        Ok(ProvenKey {
            key: LogKey::any(),
            answer: Bytes::from_static(b"key"),
        })
    }

    async fn log_page(&self, session: &Session, offset: usize) -> Result<LogPage, FailureKind> {
        self.ask("log page").await?;
        let slow = self.world().log.slow;
        tokio::time::sleep(slow).await;
        let mut world = self.world();
        takes(session, Scope::Log);
        world.log.page(offset)
    }

    async fn log_file(
        &self,
        session: &Session,
        id: &LogId,
        _key: &LogKey,
        search: Option<Search>,
        raw: Option<Box<dyn RawLog>>,
    ) -> Result<LogFile, FailureKind> {
        self.ask("log file").await?;
        let mut world = self.world();
        takes(session, Scope::Log);
        world.log.file(id, search, raw)
    }
}

/// A token of the wrong scope, or one that is dead, is a bug of the engine's.
fn takes(session: &Session, scope: Scope) {
    let alive = session.expires.is_none_or(|at| Instant::now() < at);
    assert!(alive, "a dead token");
    if let Some(token) = &session.token {
        let token = token.expose();
        assert!(token == scope.as_str().as_bytes() || token == b"given");
    }
}
