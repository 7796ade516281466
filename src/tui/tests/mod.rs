//! Keys, one by one, against fleets as they are in a run.

#[cfg(test)]
pub(super) mod secret_box;
#[cfg(test)]
pub(super) mod ui;
