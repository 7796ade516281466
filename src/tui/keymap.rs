//! All keys, as a table: (focus, key) → action. Footer and help are drawn from it; `ui` carries the actions out.
//!
//! Some keys must not be used because something else takes them: Ctrl-A and Ctrl-B (screen, tmux), Ctrl-Z (stop),
//! Ctrl-S and Ctrl-Q (flow control), Ctrl-D (end of input), and Ctrl-Shift with any key (terminals).

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where the keyboard goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Focus {
    /// The plan, before anything is changed. Digits go to its input.
    Plan,
    /// The table of devices.
    Devices,
    /// What went wrong, by reason.
    Failures,
    /// The fleet map.
    Map,
    /// A pane that fills the screen.
    Reading,
    /// The filter's input. Everything else goes to the text.
    Filter,
    /// The box that asks for a device's secret. Everything else goes to the text.
    Secret,
    /// A question to be answered with yes or no.
    Question,
    /// The question of which devices to retry.
    RetryBox,
    /// The box of a halted run. Digits go to its input.
    Budget,
    /// Something to be read and closed.
    Notice,
    /// The help.
    Help,
    /// A run of the past. Its keys come before those of the page that is shown.
    Replay,
    /// A run of another process, likewise.
    Attached,
}

/// What a key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Top,
    Bottom,
    /// The plan's Enter.
    Start,
    /// The plan's Backspace.
    Erase,
    Detail,
    Log,
    Back,
    Retry,
    RetryFailed,
    Cancel,
    CancelAll,
    Filter,
    /// Keep the filter that is typed.
    Keep,
    Sort,
    /// Turn the order round.
    Reverse,
    /// The next device that needs a look.
    NextLook,
    /// The last one before it.
    LastLook,
    /// Mark a device; on the plan, leave it out.
    Mark,
    /// The same with all that the filter shows.
    MarkAll,
    /// What went wrong, by reason.
    Failures,
    /// A cell for each device.
    Map,
    /// Open what is under the cursor.
    Open,
    Copy,
    /// What the selected device's audit log says, entry by entry.
    Audit,
    /// Ask for the secret that a device waits for.
    Secret,
    /// Send the secret that is typed.
    Send,
    /// Put the question off.
    Later,
    Help,
    Quit,
    Interrupt,
    Yes,
    No,
    /// Include devices that rolled back, or leave them out.
    RolledBack,
    /// Include devices that were cancelled, or leave them out.
    Cancelled,
    /// Ask whether a halted run goes on.
    Budget,
    /// Go on with the budget that is typed.
    GoOn,
    /// Stop the rollout.
    StopRollout,
    /// Stand still, or go on.
    Pause,
    /// The next event of a run of the past.
    Step,
    /// The next one that is more than progress.
    StepOver,
    Faster,
    Slower,
    /// From the begin of the run.
    Again,
}

impl Action {
    /// Whether it would change what becomes of devices. Marks do so on the plan, where they leave devices out.
    pub(super) fn steers(self, focus: Focus) -> bool {
        match self {
            Self::Mark | Self::MarkAll | Self::Erase => focus == Focus::Plan,
            Self::Start
            | Self::Retry
            | Self::RetryFailed
            | Self::Cancel
            | Self::CancelAll
            | Self::Secret
            | Self::Budget => true,
            _ => false,
        }
    }
}

/// One key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key(KeyCode, KeyModifiers);

const fn key(code: KeyCode) -> Key {
    Key(code, KeyModifiers::NONE)
}

const fn char(c: char) -> Key {
    key(KeyCode::Char(c))
}

const CTRL_C: Key = Key(KeyCode::Char('c'), KeyModifiers::CONTROL);

impl Key {
    fn matches(self, event: &KeyEvent) -> bool {
        // Terminals differ in whether they report Shift with a capital letter.
        let modifiers = event.modifiers - KeyModifiers::SHIFT;
        self.0 == event.code && self.1 == modifiers
    }
}

/// A line of the table.
pub(super) struct Binding {
    pub(super) focus: Focus,
    pub(super) keys: &'static [Key],
    /// The keys as footer and help spell them.
    pub(super) shown: &'static str,
    pub(super) action: Action,
    /// A word or two for the footer.
    pub(super) label: &'static str,
    /// A line for the help; empty where the line above it says it already.
    pub(super) help: &'static str,
    /// Where room is short, the footer keeps the lowest ranks. A key of rank 0 is only in the help.
    pub(super) rank: u8,
}

macro_rules! bindings {
    ($($focus:ident: [$($key:expr),+] $shown:literal => $action:ident, $rank:literal $label:literal, $help:literal;)+) => {
        &[$(Binding {
            focus: Focus::$focus,
            keys: &[$($key),+],
            shown: $shown,
            action: Action::$action,
            label: $label,
            help: $help,
            rank: $rank,
        }),+]
    };
}

/// Every key of the dashboard, in the order of footer and help.
#[rustfmt::skip]
pub(super) const BINDINGS: &[Binding] = bindings! {
    Plan: [key(KeyCode::Up), char('k')] "↑↓" => Up, 6 "select", "select a device (also j k)";
    Plan: [key(KeyCode::Down), char('j')] "↓" => Down, 0 "", "";
    Plan: [key(KeyCode::PageUp)] "PgUp PgDn" => PageUp, 0 "", "a page up or down";
    Plan: [key(KeyCode::PageDown)] "PgDn" => PageDown, 0 "", "";
    Plan: [key(KeyCode::Home), char('g')] "g G" => Top, 0 "", "first or last device (also Home End)";
    Plan: [key(KeyCode::End), char('G')] "G" => Bottom, 0 "", "";
    Plan: [key(KeyCode::Enter)] "Enter" => Start, 2 "confirm", "start, once the number of devices is typed";
    Plan: [key(KeyCode::Backspace)] "Backspace" => Erase, 0 "", "take back a digit";
    Plan: [char(' ')] "Space" => Mark, 3 "leave out", "leave the device out of the plan, or take it in";
    Plan: [char('*')] "*" => MarkAll, 7 "all", "leave out all that the filter shows, or none";
    Plan: [char('/')] "/" => Filter, 4 "filter", "filter by word, !word or stage:upload";
    Plan: [char('n')] "n" => NextLook, 6 "needs a look", "the next device that needs a look (N: the one before)";
    Plan: [char('N')] "N" => LastLook, 0 "", "";
    Plan: [char('r')] "r" => Retry, 5 "look again", "look again at the selected device";
    Plan: [char('R')] "R" => RetryFailed, 8 "look again at failed", "look again at all shown that cannot be upgraded";
    Plan: [char('s')] "s" => Sort, 7 "sort", "sort by the next column (S: turn round)";
    Plan: [char('S')] "S" => Reverse, 0 "", "";
    Plan: [key(KeyCode::Esc)] "Esc" => Back, 3 "leave", "one step back: number, filter; then it asks";
    Plan: [char('?')] "?" => Help, 1 "help", "this help";
    Plan: [char('q')] "q" => Quit, 1 "quit", "leave without changing anything";
    Plan: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "stop";

    Devices: [key(KeyCode::Up), char('k')] "↑↓" => Up, 8 "select", "select a device (also j k)";
    Devices: [key(KeyCode::Down), char('j')] "↓" => Down, 0 "", "";
    Devices: [key(KeyCode::PageUp)] "PgUp PgDn" => PageUp, 0 "", "a page up or down";
    Devices: [key(KeyCode::PageDown)] "PgDn" => PageDown, 0 "", "";
    Devices: [key(KeyCode::Home), char('g')] "g G" => Top, 0 "", "first or last device (also Home End)";
    Devices: [key(KeyCode::End), char('G')] "G" => Bottom, 0 "", "";
    Devices: [char('n')] "n" => NextLook, 6 "needs a look", "the next device that needs a look (N: the one before)";
    Devices: [char('N')] "N" => LastLook, 0 "", "";
    Devices: [key(KeyCode::Enter)] "Enter" => Detail, 5 "detail", "detail of the device: pane, whole screen, off";
    Devices: [char('r')] "r" => Retry, 2 "retry", "retry the selected device, or ask about those marked";
    Devices: [char('R')] "R" => RetryFailed, 3 "retry all", "retry all shown that failed or were cancelled; asks first";
    Devices: [char('f')] "f" => Failures, 3 "reasons", "what went wrong, by reason; r and y act on a group";
    Devices: [char('b')] "b" => Budget, 1 "stop or go on", "a halted run: stop it, or go on with a new budget";
    Devices: [char('c')] "c" => Cancel, 4 "cancel", "cancel the selected or marked, before the install";
    Devices: [char('C')] "C" => CancelAll, 12 "cancel all", "cancel all devices, before the install";
    Devices: [char('p')] "p" => Secret, 2 "type secret", "type the secret that a device waits for";
    Devices: [char(' ')] "Space" => Mark, 9 "mark", "mark for r, c and y, or take the mark away";
    Devices: [char('*')] "*" => MarkAll, 0 "", "mark all that the filter shows, or none";
    Devices: [char('/')] "/" => Filter, 7 "filter", "filter by word, !word or stage:upload";
    Devices: [char('m')] "m" => Map, 10 "map", "the fleet as a map, a cell for each device";
    Devices: [char('s')] "s" => Sort, 9 "sort", "sort by state, name, group, stage, time, audit";
    Devices: [char('S')] "S" => Reverse, 0 "", "turn the order round";
    Devices: [char('l')] "l" => Log, 11 "log", "log: pane, whole screen, off";
    Devices: [char('a')] "a" => Audit, 10 "audit log", "what the device's audit log says, entry by entry";
    Devices: [char('y')] "y" => Copy, 11 "copy error", "copy the last error of the selected or marked";
    Devices: [key(KeyCode::Esc)] "Esc" => Back, 0 "", "one step back: marks, filter, panes; never quits";
    Devices: [char('?')] "?" => Help, 1 "help", "this help";
    Devices: [char('q')] "q" => Quit, 1 "quit", "quit; asks while devices are in flight";
    Devices: [CTRL_C] "Ctrl-C" => Interrupt, 13 "stop", "stop: first safely, a second time at once";

    Failures: [key(KeyCode::Up), char('k')] "↑↓" => Up, 4 "select", "select a reason or a device (also j k)";
    Failures: [key(KeyCode::Down), char('j')] "↓" => Down, 0 "", "";
    Failures: [key(KeyCode::PageUp)] "PgUp PgDn" => PageUp, 0 "", "a page up or down";
    Failures: [key(KeyCode::PageDown)] "PgDn" => PageDown, 0 "", "";
    Failures: [key(KeyCode::Home), char('g')] "g G" => Top, 0 "", "first or last line (also Home End)";
    Failures: [key(KeyCode::End), char('G')] "G" => Bottom, 0 "", "";
    Failures: [key(KeyCode::Enter)] "Enter" => Open, 2 "open", "a reason: its devices; a device: its detail";
    Failures: [char('r')] "r" => Retry, 2 "retry", "a reason: its devices, asks first; a device: at once";
    Failures: [char('y')] "y" => Copy, 3 "copy", "copy the reason and the names of its devices";
    Failures: [char(' ')] "Space" => Mark, 6 "mark", "mark the devices of this reason, or none";
    Failures: [char('a')] "a" => Audit, 7 "audit log", "what the device's audit log says, entry by entry";
    Failures: [char('b')] "b" => Budget, 1 "stop or go on", "a halted run: stop it, or go on with a new budget";
    Failures: [char('p')] "p" => Secret, 2 "type secret", "type the secret that a device waits for";
    Failures: [char('/')] "/" => Filter, 5 "filter", "filter by word, !word or stage:upload";
    Failures: [char('m')] "m" => Map, 8 "map", "the fleet as a map, a cell for each device";
    Failures: [char('f')] "f" => Failures, 0 "", "back to the table";
    Failures: [key(KeyCode::Esc)] "Esc" => Back, 1 "back", "one step back: marks, then the table";
    Failures: [char('?')] "?" => Help, 1 "help", "this help";
    Failures: [char('q')] "q" => Quit, 1 "quit", "quit; asks while devices are in flight";
    Failures: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "stop: first safely, a second time at once";

    Map: [key(KeyCode::Up), char('k')] "↑↓←→" => Up, 4 "select", "select a device (also j k)";
    Map: [key(KeyCode::Down), char('j')] "↓" => Down, 0 "", "";
    Map: [key(KeyCode::Left)] "←" => Left, 0 "", "";
    Map: [key(KeyCode::Right)] "→" => Right, 0 "", "";
    Map: [key(KeyCode::PageUp)] "PgUp PgDn" => PageUp, 0 "", "a page up or down";
    Map: [key(KeyCode::PageDown)] "PgDn" => PageDown, 0 "", "";
    Map: [key(KeyCode::Home), char('g')] "g G" => Top, 0 "", "first or last device (also Home End)";
    Map: [key(KeyCode::End), char('G')] "G" => Bottom, 0 "", "";
    Map: [char('n')] "n" => NextLook, 3 "needs a look", "the next device that needs a look (N: the one before)";
    Map: [char('N')] "N" => LastLook, 0 "", "";
    Map: [key(KeyCode::Enter)] "Enter" => Open, 2 "detail", "the device's detail";
    Map: [char('r')] "r" => Retry, 3 "retry", "retry the selected device, or ask about those marked";
    Map: [char('c')] "c" => Cancel, 6 "cancel", "cancel the selected or marked, before the install";
    Map: [char('y')] "y" => Copy, 9 "copy error", "copy the last error of the selected or marked";
    Map: [char(' ')] "Space" => Mark, 7 "mark", "mark for r, c and y, or take the mark away";
    Map: [char('*')] "*" => MarkAll, 0 "", "mark all that the filter shows, or none";
    Map: [char('a')] "a" => Audit, 8 "audit log", "what the device's audit log says, entry by entry";
    Map: [char('b')] "b" => Budget, 1 "stop or go on", "a halted run: stop it, or go on with a new budget";
    Map: [char('p')] "p" => Secret, 2 "type secret", "type the secret that a device waits for";
    Map: [char('/')] "/" => Filter, 5 "filter", "filter by word, !word or stage:upload";
    Map: [char('s')] "s" => Sort, 8 "sort", "sort by state, name, group, stage, time, audit";
    Map: [char('S')] "S" => Reverse, 0 "", "turn the order round";
    Map: [char('f')] "f" => Failures, 7 "reasons", "what went wrong, by reason";
    Map: [char('m')] "m" => Map, 0 "", "back to the table";
    Map: [key(KeyCode::Esc)] "Esc" => Back, 1 "back", "one step back: marks, then the table";
    Map: [char('?')] "?" => Help, 1 "help", "this help";
    Map: [char('q')] "q" => Quit, 1 "quit", "quit; asks while devices are in flight";
    Map: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "stop: first safely, a second time at once";

    Reading: [key(KeyCode::Up), char('k')] "↑↓" => Up, 3 "scroll", "scroll (also j k)";
    Reading: [key(KeyCode::Down), char('j')] "↓" => Down, 0 "", "";
    Reading: [key(KeyCode::PageUp)] "PgUp PgDn" => PageUp, 4 "page", "a page up or down";
    Reading: [key(KeyCode::PageDown)] "PgDn" => PageDown, 0 "", "";
    Reading: [key(KeyCode::Home), char('g')] "g G" => Top, 0 "", "first or last line (also Home End)";
    Reading: [key(KeyCode::End), char('G')] "G" => Bottom, 0 "", "";
    Reading: [key(KeyCode::Enter)] "Enter" => Detail, 0 "", "close, from the detail";
    Reading: [char('l')] "l" => Log, 0 "", "close, from the log";
    Reading: [key(KeyCode::Esc)] "Esc" => Back, 2 "back", "back to the devices";
    Reading: [char('a')] "a" => Audit, 5 "audit log", "the audit log's entries, and back";
    Reading: [char('p')] "p" => Secret, 2 "type secret", "type the secret that a device waits for";
    Reading: [char('r')] "r" => Retry, 5 "retry", "retry this device";
    Reading: [char('b')] "b" => Budget, 1 "stop or go on", "a halted run: stop it, or go on with a new budget";
    Reading: [char('c')] "c" => Cancel, 6 "cancel", "cancel this device, before its install";
    Reading: [char('y')] "y" => Copy, 7 "copy error", "copy the device's last error to the clipboard";
    Reading: [char('?')] "?" => Help, 1 "help", "this help";
    Reading: [char('q')] "q" => Quit, 1 "quit", "quit; asks while devices are in flight";
    Reading: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "stop: first safely, a second time at once";

    Filter: [key(KeyCode::Enter)] "Enter" => Keep, 1 "keep", "";
    Filter: [key(KeyCode::Esc)] "Esc" => Back, 1 "clear", "";
    Filter: [key(KeyCode::Up)] "↑↓" => Up, 2 "select", "";
    Filter: [key(KeyCode::Down)] "↓" => Down, 0 "", "";
    Filter: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "";

    Secret: [key(KeyCode::Enter)] "Enter" => Send, 1 "send", "";
    Secret: [key(KeyCode::Esc)] "Esc" => Later, 1 "later", "";
    Secret: [key(KeyCode::Backspace)] "Backspace" => Erase, 3 "erase", "";
    Secret: [CTRL_C] "Ctrl-C" => Interrupt, 2 "stop", "";

    Question: [char('y')] "y" => Yes, 1 "yes", "";
    Question: [char('n'), key(KeyCode::Esc)] "n Esc" => No, 1 "no", "";
    Question: [CTRL_C] "Ctrl-C" => Interrupt, 2 "stop", "";

    RetryBox: [char('y')] "y" => Yes, 1 "retry", "";
    RetryBox: [char('n'), key(KeyCode::Esc)] "n Esc" => No, 1 "leave", "";
    RetryBox: [char('b')] "b" => RolledBack, 2 "rolled back", "";
    RetryBox: [char('c')] "c" => Cancelled, 2 "cancelled", "";
    RetryBox: [CTRL_C] "Ctrl-C" => Interrupt, 3 "stop", "";

    Budget: [key(KeyCode::Enter)] "Enter" => GoOn, 1 "go on", "";
    Budget: [char('x')] "x" => StopRollout, 1 "stop", "";
    Budget: [key(KeyCode::Esc)] "Esc" => Later, 1 "later", "";
    Budget: [key(KeyCode::Backspace)] "Backspace" => Erase, 3 "erase", "";
    Budget: [CTRL_C] "Ctrl-C" => Interrupt, 2 "interrupt", "";

    Notice: [key(KeyCode::Esc), key(KeyCode::Enter), char('n'), char('q')] "Esc" => No, 1 "back", "";
    Notice: [CTRL_C] "Ctrl-C" => Interrupt, 2 "stop", "";

    Help: [key(KeyCode::Esc), char('?'), char('q'), key(KeyCode::Enter)] "Esc" => Back, 1 "back", "";
    Help: [key(KeyCode::Up), char('k')] "↑↓" => Up, 2 "scroll", "";
    Help: [key(KeyCode::Down), char('j')] "↓" => Down, 0 "", "";
    Help: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "";

    Replay: [char(' ')] "Space" => Pause, 1 "pause or go on", "pause or go on; at its end, begin again";
    Replay: [char('.')] "." => Step, 2 "one event", "the next event (>: the next that is more than progress)";
    Replay: [char('>')] ">" => StepOver, 0 "", "";
    Replay: [char('+'), char('=')] "+ -" => Faster, 2 "speed", "faster or slower";
    Replay: [char('-')] "-" => Slower, 0 "", "";
    Replay: [char('0')] "0" => Again, 4 "begin", "from the begin of the run";
    Replay: [char('q')] "q" => Quit, 1 "leave", "leave";
    Replay: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "";

    Attached: [char('q')] "q" => Quit, 1 "leave", "leave; the run goes on";
    Attached: [CTRL_C] "Ctrl-C" => Interrupt, 0 "", "";
};

impl Binding {
    /// Whether a key means both.
    pub(super) fn shares(&self, other: &Self) -> bool {
        self.keys.iter().any(|key| other.keys.contains(key))
    }
}

/// What a key does while the focus is here; nothing where it has no meaning.
pub(super) fn action(focus: Focus, event: &KeyEvent) -> Option<Action> {
    of(focus)
        .find(|b| b.keys.iter().any(|k| k.matches(event)))
        .map(|b| b.action)
}

/// The keys of a focus.
pub(super) fn of(focus: Focus) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |b| b.focus == focus)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for (n, one) in BINDINGS.iter().enumerate() {
            for other in &BINDINGS[n + 1..] {
                let shared = one.shares(other);
                assert!(
                    one.focus != other.focus || !shared,
                    "{:?}: {} and {}",
                    one.focus,
                    one.shown,
                    other.shown
                );
            }
        }
    }

    #[test]
    fn no_key_is_one_that_terminals_or_multiplexers_take() {
        for binding in BINDINGS {
            for key in binding.keys {
                assert!(
                    key.1.is_empty() || *key == CTRL_C,
                    "{:?} {}",
                    binding.focus,
                    binding.shown
                );
            }
        }
    }

    #[test]
    fn every_place_can_be_interrupted() {
        let event = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for binding in BINDINGS {
            assert_eq!(action(binding.focus, &event), Some(Action::Interrupt));
        }
    }

    #[test]
    fn capitals_match_with_and_without_shift() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let event = KeyEvent::new(KeyCode::Char('R'), modifiers);
            assert_eq!(action(Focus::Devices, &event), Some(Action::RetryFailed));
        }
        let event = KeyEvent::new(KeyCode::Char('r'), KeyModifiers::CONTROL);
        assert_eq!(action(Focus::Devices, &event), None);
    }

    /// The README's table is made of this one: what `help` says of the dashboard's keys, and of the plan's own.
    #[test]
    fn the_readme_has_this_table() {
        let mut table = "| key | does |\n| --- | --- |\n".to_owned();
        let plan = of(Focus::Plan).filter(|b| matches!(b.action, Action::Start | Action::Mark));
        let replay = of(Focus::Replay).filter(|b| b.action != Action::Quit);
        let rows = of(Focus::Devices)
            .map(|b| (b, ""))
            .chain(plan.map(|b| (b, "on the plan: ")))
            .chain(replay.map(|b| (b, "in a replay: ")));
        for (binding, lead) in rows.filter(|(b, _)| !b.help.is_empty()) {
            let _ = writeln!(table, "| `{}` | {lead}{} |", binding.shown, binding.help);
        }
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("<!-- keys").unwrap();
        let (_, rest) = rest.split_once("-->\n").unwrap();
        let (found, _) = rest.split_once("<!-- /keys -->").unwrap();
        assert!(
            found.trim() == table.trim(),
            "write into README.md:\n{table}"
        );
    }
}
