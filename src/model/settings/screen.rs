//! How the dashboard uses the terminal beside its screen (inventory table `[screen]`), with its defaults.

/// How the dashboard uses the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScreenSettings {
    /// How it calls a person.
    pub notify: Notify,
    /// Whether it takes the mouse, for the wheel and for selecting. The terminal's own selection needs Shift then.
    pub mouse: bool,
}

/// How the dashboard calls a person when the run ends or waits for somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Notify {
    /// Not at all.
    Off,
    /// With the terminal's bell.
    Bell,
    /// With the bell and a notification of the desktop (OSC 9), which terminals that have none ignore.
    #[default]
    Desktop,
}

impl Notify {
    /// All of them, as the inventory has them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Bell, Self::Desktop];

    /// The spelling of the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Bell => "bell",
            Self::Desktop => "desktop",
        }
    }
}
