//! The tests that see hemfleet from outside, in one binary: walls, files, the real stack, the screen.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod config;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod rust_paths;
#[cfg(test)]
mod screen;
