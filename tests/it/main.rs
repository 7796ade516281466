//! The tests that see hemfleet from outside, in one binary: the walls between rooms, configuration, the command line,
//! the real stack against simulated devices, and the screen.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod config;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod rust_paths;
#[cfg(test)]
mod screen;
