//! What becomes of a run when its terminal is gone (inventory table `[run]`), with its default.

/// What becomes of a run whose terminal is hung up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnHangUp {
    /// Nothing new starts; what is past the install is watched to its end, and the rest is left for `hemfleet resume`.
    #[default]
    Drain,
    /// It goes on to its end without a screen. What needs a person is left out.
    Finish,
}

impl OnHangUp {
    /// Both, as the inventory has them.
    pub const ALL: [Self; 2] = [Self::Drain, Self::Finish];

    /// The spelling of the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Finish => "finish",
        }
    }
}
