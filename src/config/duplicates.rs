//! Devices that stand in the inventory twice, by name or by the way to them. What makes two ways the same is
//! [`Reach`]'s rule.

use std::collections::HashMap;

use super::diagnostic::quoted;
use super::inventory::device::DevicePart;
use super::inventory::file::File;
use super::toml::reader::{Field, KeySpan, Reader};
use super::toml::single_values::ValueError;
use crate::model::{DeviceSpec, Reach};

/// Reports two devices of one name.
pub(super) fn names(reader: &mut Reader, file: &File) {
    let mut seen: HashMap<&str, &KeySpan> = HashMap::new();
    for part in &file.devices {
        let Some((name, spot)) = part.name.valid() else {
            continue;
        };
        if let Some(first) = seen.get(name.as_str()) {
            let fault = reader
                .fault(
                    spot,
                    ValueError::new(format!("a second device is called {}", quoted(name))).hint(
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
        !matches!(part.connect.or(&defaults.connect), Field::Invalid)
            && !matches!(part.proxy.or(&defaults.proxy), Field::Invalid)
            && !matches!(part.ssh.or(&defaults.ssh), Field::Invalid)
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
                    ValueError::new(format!(
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
fn place_of(part: &DevicePart) -> &KeySpan {
    let connect = part.connect.valid().map(|(_, s)| s);
    let ssh = part.ssh.valid().map(|(_, s)| s);
    let url = part.url.valid().map(|(_, s)| s);
    connect.or(ssh).or(url).unwrap_or(&part.spot)
}
