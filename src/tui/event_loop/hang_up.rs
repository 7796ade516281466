//! What becomes of a run when nobody is at the screen any more.

use crate::engine::{Intent, StopSignal, unattended};
use crate::model::{OnHangUp, RunId};

use super::Dashboard;

impl Dashboard<'_> {
    /// A signal that asks for an end.
    pub(super) fn signal(&mut self, signal: StopSignal) {
        match signal {
            StopSignal::Interrupt if self.session.is_read_only() => self.left = true,
            StopSignal::Interrupt => self.intend(Intent::Interrupt),
            StopSignal::HangUp => self.lose_terminal(),
        }
    }

    /// The terminal is gone, or is given up since a signal says so. Said again it changes nothing: kernel and shell may
    /// each send a SIGHUP, and none of them is the second Ctrl-C that stops at once.
    pub(super) fn lose_terminal(&mut self) {
        if self.guard.take().is_none() {
            return;
        }
        if self.session.is_read_only() {
            self.left = true;
            return;
        }
        self.unattended = true;
        let fleet = self.session.fleet();
        if fleet.is_over() || fleet.stop().is_some() {
            tracing::warn!("the terminal is gone");
        } else if self.options.on_hang_up == OnHangUp::Drain {
            tracing::warn!("the terminal is gone: stopping safely");
            self.intend(Intent::Drain);
        } else {
            let journal = self.options.journal.unwrap_or_default();
            let text = goes_on(fleet.run(), journal, std::process::id());
            tracing::warn!("{text}");
        }
        self.settle_unattended();
    }

    /// What waits for a person who is gone is decided without one. A plan that was confirmed before waits for the
    /// devices to be held, not for a person.
    pub(super) fn settle_unattended(&mut self) {
        while self.unattended
            && self.confirmed.is_none()
            && let Some((intent, what)) = unattended(self.session.fleet())
        {
            tracing::warn!("{what}");
            self.intend(intent);
        }
    }
}

/// What is logged of a run that goes on without a terminal; `journal` as in [`super::Options::journal`].
fn goes_on(run: &RunId, journal: &str, process: u32) -> String {
    format!(
        "the terminal is gone: going on to the end without it; hemfleet attach {run}{journal} shows the run, and \
         kill {process} stops it safely"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_how_to_see_the_run_in_its_journal() {
        let run = RunId::from_random([0x7f, 0x3a, 0, 1]);
        let text = goes_on(&run, " --journal /srv/j.db", 42);
        let how = "hemfleet attach 7f3a0001 --journal /srv/j.db shows the run, and kill 42 stops it safely";
        assert!(text.contains(how), "{text}");
    }
}
