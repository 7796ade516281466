//! Every device of the inventory stands in it once: by its name, and by the way to it.
//! Must not: know what makes two ways one (that is [`Reach`]).

use std::collections::HashMap;

use super::diagnostic::quoted;
use super::inventory::device::DevicePart;
use super::inventory::file::File;
use super::toml::reader::{Given, Reader, Spot};
use super::toml::value::Complaint;
use crate::model::{DeviceSpec, Reach};

/// Complains of two devices of one name.
pub(super) fn names(reader: &mut Reader, file: &File) {
    let mut seen: HashMap<&str, &Spot> = HashMap::new();
    for part in &file.devices {
        let Some((name, spot)) = part.name.good() else {
            continue;
        };
        if let Some(first) = seen.get(name.as_str()) {
            let fault = reader
                .fault(
                    spot,
                    Complaint::new(format!("a second device is called {}", quoted(name))).hint(
                        "names are how you and your scripts tell devices apart: give each its own",
                    ),
                )
                .related(reader.location(first), "first used here");
            reader.push(fault);
        } else {
            seen.insert(name, spot);
        }
    }
}

/// Two entries that lead to one device would upgrade it twice at once.
pub(super) fn targets(
    reader: &mut Reader,
    devices: &[(DeviceSpec, &DevicePart)],
    defaults: &DevicePart,
) {
    let mut seen: HashMap<Reach, (&DeviceSpec, &DevicePart)> = HashMap::new();
    // A way that could not be read is not known to be anybody else's.
    let is_read = |part: &DevicePart| {
        !matches!(part.connect.or(&defaults.connect), Given::Bad)
            && !matches!(part.proxy.or(&defaults.proxy), Given::Bad)
            && !matches!(part.ssh.or(&defaults.ssh), Given::Bad)
    };
    for (spec, part) in devices.iter().filter(|(_, part)| is_read(part)) {
        let reach = Reach::of(spec);
        if let Some((other, first)) = seen.get(&reach) {
            let way = match (&spec.proxy, &spec.ssh) {
                (Some(_), _) => "through the same proxy",
                (None, Some(_)) => "through the same jump host",
                (None, None) => "without a proxy",
            };
            let fault = reader
                .fault(
                    place_of(part),
                    Complaint::new(format!(
                        "{} leads to {} {way}, as {} does",
                        quoted(spec.id.as_str()),
                        spec.target(),
                        quoted(other.id.as_str())
                    ))
                    .hint("one device must not be upgraded twice at once: remove one of them, or tell them apart by connect, proxy or ssh"),
                )
                .related(reader.location(place_of(first)), "the same device");
            reader.push(fault);
        } else {
            seen.insert(reach, (spec, part));
        }
    }
}

/// The key that says where the device is, or the device itself.
fn place_of(part: &DevicePart) -> &Spot {
    let connect = part.connect.good().map(|(_, s)| s);
    let ssh = part.ssh.good().map(|(_, s)| s);
    let url = part.url.good().map(|(_, s)| s);
    connect.or(ssh).or(url).unwrap_or(&part.spot)
}
