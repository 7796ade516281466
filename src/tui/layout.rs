//! Where the parts of the screen are, computed from its size and from which panes are wanted. `view` draws into
//! these areas.

use ratatui::layout::{Rect, Size};

/// Below this many columns or lines there is room for one summary line only.
const TINY: (u16, u16) = (40, 10);
/// Below this many columns everything stands in one column, and panes open only when asked for.
const NARROW: u16 = 84;
/// From this many columns on, detail and log stand side by side below the table.
const WIDE: u16 = 160;
/// From this many lines on, the plan's counts may take more than one.
const ROOMY: u16 = 16;
/// The least height of a pane that is worth opening: its title and a few lines.
const PANE: u16 = 9;
/// The lines of the table before its first device: title and column heads.
pub(super) const TABLE_HEAD: u16 = 2;
/// Title, column heads and three devices.
const TABLE: u16 = 5;

/// Whether a pane is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum PaneChoice {
    /// Shown where there is room for it.
    #[default]
    Auto,
    On,
    Off,
}

/// A pane that fills the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Zoom {
    Detail,
    /// The audit log's entries, in the detail's place.
    Audit,
    Log,
}

/// What is wanted of the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayoutRequest {
    pub(super) size: Size,
    /// How many lines the plan's counts take; absent where the plan is not shown.
    pub(super) plan: Option<u16>,
    /// Whether a line under the header is needed.
    pub(super) banner: bool,
    /// Whether a line is needed that says who waits for a person.
    pub(super) people: bool,
    pub(super) detail: PaneChoice,
    pub(super) log: PaneChoice,
    pub(super) zoom: Option<Zoom>,
    /// The number of devices in the fleet, whatever the filter leaves, so that typing a filter moves nothing.
    pub(super) devices: usize,
}

/// Where the parts of the screen are. Parts that are not shown have no area.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Areas {
    /// The one line for everything, when there is no room for more.
    pub(super) tiny: Option<Rect>,
    pub(super) header: Rect,
    pub(super) banner: Rect,
    pub(super) people: Rect,
    /// With its title and column heads.
    pub(super) table: Rect,
    pub(super) detail: Option<Rect>,
    pub(super) log: Option<Rect>,
    /// The plan's counts, warning and prompt.
    pub(super) prompt: Rect,
    pub(super) footer: Rect,
}

impl Areas {
    pub(super) fn of(request: &LayoutRequest) -> Self {
        let Size { width, height } = request.size;
        let whole = Rect::new(0, 0, width, height);
        if width < TINY.0 || height < TINY.1 {
            return Self {
                tiny: Some(whole),
                ..Self::default()
            };
        }
        let (header, prompt) = match request.plan {
            None => (2, 0),
            Some(counts) if height >= ROOMY => (1, 2 + counts),
            Some(_) => (1, 3),
        };
        let mut rest = Remaining(whole);
        let mut areas = Self {
            header: rest.take(header),
            banner: rest.take(u16::from(request.banner)),
            people: rest.take(u16::from(request.people)),
            ..Self::default()
        };
        let body = Rect {
            height: rest.0.height - prompt - 1,
            ..rest.0
        };
        rest.take(body.height);
        areas.prompt = rest.take(prompt);
        areas.footer = rest.take(1);
        if request.plan.is_some() {
            areas.plan_body(body);
        } else {
            areas.body(body, request);
        }
        areas
    }

    /// How many devices the table shows at once.
    pub(super) fn rows(&self) -> usize {
        usize::from(self.table.height.saturating_sub(TABLE_HEAD))
    }

    /// The plan's lower pane gives the selected device's reason in full.
    fn plan_body(&mut self, body: Rect) {
        let pane = if body.height >= TABLE + 6 { 6 } else { 0 };
        let mut rest = Remaining(body);
        self.table = rest.take(body.height - pane);
        self.detail = (pane > 0).then_some(rest.0);
    }

    fn body(&mut self, body: Rect, request: &LayoutRequest) {
        match request.zoom {
            Some(Zoom::Detail | Zoom::Audit) => {
                self.detail = Some(body);
                return;
            }
            Some(Zoom::Log) => {
                self.log = Some(body);
                return;
            }
            None => {}
        }
        let wide = body.width >= WIDE;
        let (detail, log) = shown(body, wide, request);
        let panes = match (detail, log) {
            (false, false) => 0,
            (true, true) if !wide => 2,
            _ => 1,
        };
        // The table gets what it needs and the panes get the rest, but never less than makes them worth opening.
        let needs = u16::try_from(request.devices + 2).unwrap_or(u16::MAX);
        let height = match panes {
            0 => body.height,
            1 => {
                let pane = PANE.max(body.height / 3).min(body.height / 2);
                needs.clamp(TABLE, (body.height - pane).max(TABLE))
            }
            _ => needs.clamp(TABLE, (body.height - 2 * PANE).max(TABLE)),
        };
        let mut rest = Remaining(body);
        self.table = rest.take(height);
        let lower = rest.0;
        match (detail, log) {
            (true, true) if wide => {
                let left = lower.width * 11 / 20;
                self.detail = Some(Rect {
                    width: left,
                    ..lower
                });
                // One column stays free between the two.
                self.log = Some(Rect {
                    x: lower.x + left + 1,
                    width: lower.width - left - 1,
                    ..lower
                });
            }
            (true, true) => {
                self.detail = Some(rest.take(lower.height - lower.height / 3));
                self.log = Some(rest.0);
            }
            (true, false) => self.detail = Some(lower),
            (false, true) => self.log = Some(lower),
            (false, false) => {}
        }
    }
}

/// Which panes there is room for, of those that are wanted.
fn shown(body: Rect, wide: bool, request: &LayoutRequest) -> (bool, bool) {
    if body.height < TABLE + PANE / 2 {
        // No room for both a table and a pane worth reading.
        return (false, false);
    }
    let roomy = body.width >= NARROW && body.height >= TABLE + PANE + 3;
    let wanted = |choice, by_itself| match choice {
        PaneChoice::Auto => by_itself,
        choice => choice == PaneChoice::On,
    };
    let detail = wanted(request.detail, roomy);
    let log = wanted(request.log, wide && roomy);
    // The log is only there because somebody asked for it, so the detail gives way.
    let both = wide || body.height >= TABLE + 2 * PANE;
    (detail && (both || !log), log)
}

/// The part of the screen that is still free, from the top down.
struct Remaining(Rect);

impl Remaining {
    fn take(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        let taken = Rect { height, ..self.0 };
        self.0.y += height;
        self.0.height -= height;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(width: u16, height: u16, detail: PaneChoice, log: PaneChoice) -> Areas {
        Areas::of(&LayoutRequest {
            size: Size { width, height },
            plan: None,
            banner: false,
            people: false,
            detail,
            log,
            zoom: None,
            devices: 100,
        })
    }

    #[test]
    fn narrow_screens_open_panes_only_when_asked() {
        assert_eq!(
            areas(80, 24, PaneChoice::Auto, PaneChoice::Auto).detail,
            None
        );
        assert!(
            areas(80, 24, PaneChoice::On, PaneChoice::Auto)
                .detail
                .is_some()
        );
        assert!(
            areas(120, 30, PaneChoice::Auto, PaneChoice::Auto)
                .detail
                .is_some()
        );
        assert!(
            areas(200, 50, PaneChoice::Auto, PaneChoice::Auto)
                .log
                .is_some()
        );
    }

    #[test]
    fn the_log_takes_the_place_of_the_detail_where_there_is_no_room_for_both() {
        let small = areas(80, 24, PaneChoice::On, PaneChoice::On);
        assert_eq!((small.detail, small.log.is_some()), (None, true));
        let tall = areas(80, 50, PaneChoice::On, PaneChoice::On);
        assert!(tall.detail.is_some() && tall.log.is_some());
    }
}
